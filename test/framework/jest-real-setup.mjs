// Runs before each test file of the "real" project. (Jest ignores `testTimeout` inside a project's configuration.)
import { jest } from "@jest/globals";

jest.setTimeout(120_000);
