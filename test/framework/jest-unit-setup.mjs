// Runs before each test file of the "unit" project. (Jest ignores `testTimeout` inside a project's configuration.)
import { jest } from "@jest/globals";

// A hung test ends all the same; one that is merely slow because other things run on the machine has not failed.
jest.setTimeout(30_000);
