/** @file Sums vitest's JSON reports up. Fails where a test failed, a suite or file could not be run, or nothing ran. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

const files = process.argv.slice(2);
let passed = 0;
let failed = 0;
for (const file of files) {
  const suite = path.basename(file, ".json");
  if (!existsSync(file)) {
    console.log(`${suite}: the suite ended without a report`);
    failed += 1;
    continue;
  }
  const report = JSON.parse(readFileSync(file, "utf8"));
  // A file that throws before its first test has none that failed, and still is a failure.
  const broken = report.testResults.filter((r) => r.status === "failed" && r.assertionResults.length === 0);
  for (const { name, message } of broken) console.log(`could not run ${path.relative(".", name)}: ${message}`);
  for (const { assertionResults } of report.testResults) {
    for (const { status, fullName } of assertionResults) if (status === "failed") console.log(`failed: ${fullName}`);
  }
  const skipped = report.numPendingTests + (report.numTodoTests ?? 0);
  if (skipped > 0) console.log(`${suite}: ${skipped} skipped`);
  const bad = report.numFailedTests + broken.length;
  // An unhandled rejection fails the run while every test passed; a run of nothing proves nothing.
  const hollow = bad === 0 && (report.numPassedTests === 0 || !report.success);
  if (hollow) console.log(`${suite}: ${report.numPassedTests === 0 ? "no test passed" : "an error outside the tests"}`);
  passed += report.numPassedTests;
  failed += bad + (hollow ? 1 : 0);
}
if (files.length === 0) failed += 1;
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
