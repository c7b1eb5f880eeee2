// What jest.config.mjs puts in the place of code that no unit test runs.
module.exports = {};
