// A file that is named and is not there is bad input, whichever command and option names it: exit code 2, and the file in the words.
import { expect, test } from 'vitest'
import { runBallast } from './run-ballast.ts'

const none = '/nowhere/none.yaml'
const cluster = ['--cluster', 'examples/talos-homelab']

// biome-ignore format: a table
test.each([
  [['plan', '--cluster', none]],
  [['plan', ...cluster, '--policy-file', none]],
  [['plan', ...cluster, '--config', none]],
  [['plan', ...cluster, '-o', 'git', '--repo', none]],
  [['plan', 'verify', none, ...cluster]],
  [['plan', 'explain', 'a/b', '--cluster', none]],
  [['plan', 'report', '--cluster', none]],
  [['plan', '--kubeconfig', none]],
  [['isolate', 'm01', '--cluster', none]],
  [['why', 'pod/b', '--cluster', none]],
  [['top', '--cluster', none]],
  [['permits', '--cluster', none]],
  [['features', '-f', none]],
  [['features', 'discover', '--config', none]],
  [['features', 'discover', '--root', none]],
  [['simulate', ...cluster, '--scenario', none]],
  [['simulate', '--cluster', none, '--scenario', none]],
  [['replay', none, '-o', '/nowhere/a.svg']],
  [['replay', '--cluster', none, '-o', '/nowhere/a.svg']],
  [['replay', ...cluster, '--policy-file', none, '-o', '/nowhere/a.svg']],
  [['doctor', '--repo', none]],
  [['doctor', '--cluster', none]],
  [['twin', '--cluster', none, '--once']],
  [['twin', ...cluster, '--once', '--faults', none]],
  [['up', '--cluster', none, '--once']],
  [['up', '--config', none, '--once']],
  [['dashboard', '--cluster', none]],
  [['manifests', '--config', none]],
  [['manifests', '--values', none]],
  [['snapshot', '--kubeconfig', none]],
  [['shadow', ...cluster, '--policy-config-file', none, '--upstream-log', none]],
])('ballast %j', async args => {
  const { code, output, words } = await runBallast(args)
  expect([code, output]).toEqual([2, ''])
  expect(words).toContain(none)
  expect(words).not.toMatch(/\n\s+at /)
})
