// Runs before each test file of the "real" project. (Jest ignores `testTimeout` inside a project's configuration.)
import { jest } from "@jest/globals";

jest.setTimeout(120_000);

// Tens of API servers start and stop: collecting garbage less often saves a sixth of their CPU, and memory is not scarce here.
process.env.GOGC ??= "400";

// A test's stack lives as long as its test: nobody goes on from the middle of an update.
process.env.PULUMI_SKIP_CHECKPOINTS ??= "true";
