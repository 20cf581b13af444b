// The drop-in descheduler as who only swapped the image runs it: a process called by upstream's name, with upstream's role and flags.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { chartPolicy } from '../bench/descheduler-policies.ts'
import { commandLine } from './cli/bundled.ts'
import { tokenKubeconfig, until } from './controller-process.ts'
import { overfull, policyOf } from './descheduler-objects.ts'
import { upstreamToken } from './descheduler-role.ts'
import { freePort } from './real/control-plane/free-ports.ts'

const limitMs = 120_000
const resources = new AsyncDisposableStack()
const directory = mkdtempSync(join(tmpdir(), 'ballast-descheduler-process-'))
const { signal } = new AbortController()
/** The name by which upstream's chart calls it. */
const called = join(directory, 'descheduler')
let twin: Twin
let kubeconfig = ''

beforeAll(async () => {
  symlinkSync(commandLine, called)
  twin = resources.use(await startTwin({ clock: systemClock, objects: overfull, listen: { port: 0 } }))
  const token = await upstreamToken(twin, { clock: systemClock, signal })
  kubeconfig = resources.use(tokenKubeconfig(await twin.kubeconfig(), token)).file
})
afterAll(async () => {
  await resources.disposeAsync()
  rmSync(directory, { recursive: true, force: true })
})

interface Run {
  readonly child: ChildProcess
  readonly output: () => string
  readonly ended: Promise<number | null>
}

function run(flags: readonly string[]): Run {
  // Nothing of this process's environment leads to another cluster.
  const child = spawn(process.execPath, [called, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] },
  })
  resources.defer(() => void child.kill('SIGKILL'))
  const texts: string[] = []
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => texts.push(text))
  const ended = new Promise<number | null>(resolve => child.once('close', resolve))
  return { child, output: () => texts.join(''), ended }
}

function policyFile(name: string, policy: object | string): string {
  const file = join(directory, name)
  writeFileSync(file, typeof policy === 'string' ? policy : JSON.stringify(policy))
  return file
}

const evictions = (): readonly string[] =>
  twin.requests.entries
    .filter(({ path, code }) => path.endsWith('/eviction') && code === 201)
    .map(({ path }) => path.split('/').at(-2) ?? '')

test("called as descheduler with upstream's role: a dry run, then a loop with its port, its Lease and an orderly end", async () => {
  const policy = policyFile('policy.yaml', chartPolicy())
  const dry = run(['--policy-config-file', policy, '--kubeconfig', kubeconfig, '--dry-run', '--secure-port=0', '-v', '1'])
  expect(await dry.ended, dry.output()).toBe(0)
  expect(dry.output()).toMatch(/"Evicted pod in dry run mode" pod="shop\/a-/)
  expect(evictions()).toEqual([])

  const port = await freePort()
  const loop = run([
    `--policy-config-file=${policy}`,
    `--client-connection-kubeconfig=${kubeconfig}`,
    '--descheduling-interval=5m',
    '--leader-elect=true',
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    '--v=3',
  ])
  await until(loop.output, () => /totalEvicted=2/.test(loop.output()) || loop.child.exitCode !== null, limitMs)
  expect(evictions()).toEqual(['a-abcde12345-a', 'b-abcde12345-a'])
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } })
  const get = async (path: string) => await (await request(`https://127.0.0.1:${port}${path}`, { dispatcher })).body.text()
  expect(await get('/healthz')).toBe('ok')
  expect(await get('/metrics')).toMatch(
    /^descheduler_pods_evicted_total\{result="success",strategy="LowNodeUtilization",profile="default",namespace="shop",node="n1"\} 2$/m,
  )
  expect(loop.output()).toContain('no right to list, watch, create, delete disruptionpermits.ballast.dev')
  loop.child.kill('SIGTERM')
  expect(await loop.ended, loop.output()).toBe(0)
  const [lease] = twin.access.list('leases.coordination.k8s.io').filter(({ metadata }) => metadata.name === 'descheduler')
  expect(lease?.['spec']).toMatchObject({ holderIdentity: '' })
  await dispatcher.close()
}, 300_000)

test('a log that nobody reads any more ends it, as it ends upstream', async () => {
  const policy = policyFile('policy.yaml', chartPolicy())
  const loop = run([
    `--policy-config-file=${policy}`,
    '--kubeconfig',
    kubeconfig,
    '--descheduling-interval=1s',
    '--secure-port=0',
    '-v=1',
  ])
  await until(loop.output, () => loop.output().includes('Number of evictions/requests'), limitMs)
  loop.child.stderr?.destroy()
  expect(await loop.ended).toBe(1)
}, 300_000)

// biome-ignore format: a table
test.each<[string, (file: string) => readonly string[], string | RegExp]>([
  ['no policy', () => [], 'deschedulerPolicy is nil'],
  ['an unknown flag', file => [`--policy-config-file=${file}`, '--nope'], 'unknown flag: --nope'],
  ['leader election without an interval', file => [`--policy-config-file=${file}`, '--leader-elect'], 'leaderElection must be used with deschedulingInterval'],
  ['a policy that is refused', () => [`--policy-config-file=${policyFile('bad.yaml', policyOf({ balance: { LowNodeUtilization: {} } }))}`], /in profile default: /],
  ['a policy file that is not there', () => ['--policy-config-file=/nowhere/policy.yaml'], /failed to run descheduler server.*ENOENT/],
  ['an enforced coordination and no window', file => [`--policy-config-file=${file}`, '--descheduling-interval=2m', '--config', policyFile('ballast.yaml', enforced)], 'the rule not-continuous'],
])('%s: 1, and the reason', async (_, flags, expected) => {
  const file = policyFile('good.yaml', chartPolicy())
  const refused = run([...flags(file), '--kubeconfig', kubeconfig, '--secure-port=0'])
  expect(await refused.ended).toBe(1)
  expect(refused.output()).toMatch(typeof expected === 'string' ? new RegExp(expected) : expected)
  expect(refused.output()).not.toMatch(/^\s+at /m)
}, 120_000)

const enforced = {
  apiVersion: 'ballast.dev/v1alpha1',
  kind: 'BallastConfiguration',
  capabilities: { deschedule: { coordination: { enforce: true } } },
}
