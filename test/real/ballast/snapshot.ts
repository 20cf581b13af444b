// `ballast snapshot` of a real cluster: the file, and a twin that is loaded with it, give the plan that the live cluster gives, and no
// Secret's value is in it.
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startTwinProcess } from '../../../bench/twin-process.ts'
import tables from '../../../examples/talos-homelab/expect/tables.json' with { type: 'json' }
import { runCommand } from '../run-command.ts'
import { commandLine, openSite } from './site.ts'

const secretText = 'only-for-the-database'
const secretInBase64 = Buffer.from(secretText).toString('base64')

interface PlanReport {
  readonly spec: {
    readonly outcome: string
    readonly moves: readonly { readonly pod: { readonly uid: string }; readonly from: string; readonly to: string }[]
  }
}

/** Dumps the example on the real server and plans it three times over. */
export async function snapshotGivesTheSamePlan(): Promise<string> {
  await using site = await openSite('1.36')
  await using resources = new AsyncDisposableStack()
  const directory = mkdtempSync(join(tmpdir(), 'ballast-snapshot-'))
  resources.defer(() => rmSync(directory, { recursive: true, force: true }))
  await site.client.want('POST', '/api/v1/namespaces/catalyst/secrets', {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'keys', annotations: { 'kubectl.kubernetes.io/last-applied-configuration': secretInBase64 } },
    data: { password: secretInBase64 },
  })
  const file = join(directory, 'cluster.yaml')
  const dumped = await site.ballast(['snapshot', '--output', file], 120_000)
  strictEqual(dumped.code, 0, dumped.stderr)
  const text = readFileSync(file, 'utf8')
  ok(/kind: Secret\b/.test(text), 'the Secret itself is left out')
  for (const hidden of [secretText, secretInBase64]) ok(!text.includes(hidden), 'a value of a Secret is in the dump')
  const live = await planOf(['--kubeconfig', site.plane.kubeconfig])
  const offline = await planOf(['--cluster', file])
  const twin = await startTwinProcess(['--cluster', file, '--scheduler', 'off', '--kubelet', 'off', '--controllers', '-*'])
  resources.defer(() => twin.stop())
  const loaded = await planOf(['--kubeconfig', twin.kubeconfig])
  strictEqual(live.spec.moves.length, tables.plan.moves)
  deepStrictEqual(movesOf(offline), movesOf(live))
  deepStrictEqual(movesOf(loaded), movesOf(live))
  return `${text.length} bytes, no Secret's value; ${live.spec.moves.length} moves live, from the file and from a twin loaded with it, the same`
}

async function planOf(from: readonly string[]): Promise<PlanReport> {
  const args = [commandLine, 'plan', ...from, '-o', 'json']
  const { code, stdout, stderr } = await runCommand(process.execPath, args, { timeoutMs: 120_000 })
  strictEqual(code, 0, `plan ${from.join(' ')}: ${stderr}`)
  return JSON.parse(stdout) as PlanReport
}

const movesOf = ({ spec }: PlanReport) => spec.moves.map(({ pod, from, to }) => `${pod.uid} ${from} ${to}`)
