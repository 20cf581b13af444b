import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runBallast } from './run-ballast.ts'

const bad = `apiVersion: ballast.dev/v1alpha1
kind: BallastConfiguration
process: {logLevl: debug, leaderElectRetryPeriod: 100ms}
arbiter: {freeze: 3}
capabilities: {deshedule: {}}
`

test('a bad configuration ends the controller with 2 and every problem, before it looks for a cluster', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-bad-'))
  try {
    const file = join(folder, 'config.yaml')
    writeFileSync(file, bad)
    const { code, output, words } = await runBallast(['controller', '--config', file, '--log-level', 'debug'])
    expect([code, output]).toEqual([2, ''])
    const lines = words
      .trimEnd()
      .split('\n')
      .map(line => line.replaceAll(folder, ''))
    expect(lines.filter(line => line.includes('/config.yaml'))).toEqual([
      expect.stringContaining('capabilities: found "deshedule", expected a known key; did you mean "deschedule"?'),
      expect.stringContaining('process: found "logLevl", expected a known key; did you mean "logLevel"?'),
      expect.stringContaining('process: leaderElectRetryPeriod'),
      expect.stringContaining('arbiter: freeze: found "3", expected'),
    ])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
