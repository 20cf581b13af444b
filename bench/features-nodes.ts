// Two thousand nodes on a real API server, labelled by ours and by nfd-master: from the start of the process to the last label, then from a
// rule that changes to the last node, with peak memory. `npm run bench -- features-nodes [--nodes N] [--only ours] [--publish referenced]`; it needs the parts of
// test:real. nfd-master asks its server five times a second, so that two thousand nodes take it a quarter of an hour.

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { environment } from '../scripts/image/build-image.ts'
import { readRule } from '../src/capabilities/features/rules/read-rule.ts'
import { prunedSpec, referencesOf } from '../src/capabilities/features/rules/references.ts'
import { ruleSchema } from '../src/capabilities/features/rules/rule-schema.ts'
import { systemClock } from '../src/kube/clock.ts'
import { setup, teardown } from '../test/cli/bundled.ts'
import type { ApiObject } from '../test/real/control-plane/api-client.ts'
import { freePort } from '../test/real/control-plane/free-ports.ts'
import { type ControlPlane, startControlPlane } from '../test/real/control-plane/start.ts'
import { atEnd } from '../test/real/endings.ts'
import { installFeatures } from '../test/real/features/labels.ts'
import { vendorRules } from '../test/real/features/vendor-rules.ts'
import { upstreamPath } from '../test/real/upstreams/build.ts'
import { publishedFeatures } from './features-node.ts'

const { values } = parseArgs({
  options: { nodes: { type: 'string', default: '2000' }, only: { type: 'string' }, publish: { type: 'string', default: 'full' } },
})
const count = Number(values.nodes)
const limitSeconds = 1_800
const group = '/apis/nfd.k8s-sigs.io/v1alpha1'
const say = (text: string) => void process.stdout.write(`${text}\n`)
const name = (at: number) => `n${String(at).padStart(5, '0')}`

const spec = { features: publishedFeatures(), labels: { plain: 'yes' } }
/** As a worker publishes it: all of it, or what the rules look at. */
const published = values.publish === 'referenced' ? prunedSpec(spec, referencesOf(vendorRules.flatMap(readRules))) : spec

function readRules({ spec: { rules } }: (typeof vendorRules)[number]) {
  return rules.map(rule => readRule(ruleSchema.parse(rule)))
}

async function fill({ client }: ControlPlane): Promise<void> {
  await client.want('POST', '/api/v1/namespaces', { metadata: { name: 'nfd' } })
  await inParallel(async at => {
    const node = name(at)
    const amounts = { cpu: '4', memory: '8Gi', pods: '110' }
    const metadata = { name: node, labels: { 'kubernetes.io/hostname': node }, annotations: { 'example.com/a': 'b' } }
    await client.want('POST', '/api/v1/nodes', { metadata, status: { allocatable: amounts, capacity: amounts } })
    const labels = { 'nfd.node.kubernetes.io/node-name': node }
    await client.want('POST', `${group}/namespaces/nfd/nodefeatures`, {
      apiVersion: 'nfd.k8s-sigs.io/v1alpha1',
      kind: 'NodeFeature',
      metadata: { name: node, labels },
      spec: published,
    })
  })
}

async function inParallel(act: (at: number) => Promise<void>): Promise<void> {
  let next = 0
  const work = async () => {
    while (next < count) await act(next++)
  }
  await Promise.all(Array.from({ length: 8 }, work))
}

/** How long it took until no node is without the label of that value, in seconds. */
async function untilAll({ client }: ControlPlane, version: string): Promise<number> {
  const startMs = systemClock.elapsed()
  const path = `/api/v1/nodes?labelSelector=${encodeURIComponent(`feature.node.kubernetes.io/round!=${version}`)}&limit=1`
  for (;;) {
    const { items } = (await client.want('GET', path)) as ApiObject & { readonly items: readonly unknown[] }
    const seconds = (systemClock.elapsed() - startMs) / 1_000
    if (items.length === 0) return seconds
    if (seconds > limitSeconds) throw new Error(`nodes are without the label after ${limitSeconds} s`)
    await systemClock.after(200)
  }
}

const roundRule = (version: string) => ({
  apiVersion: 'nfd.k8s-sigs.io/v1alpha1',
  kind: 'NodeFeatureRule',
  metadata: { name: 'z-round' },
  spec: { rules: [{ name: 'round', labels: { round: version } }] },
})

async function setRound({ client }: ControlPlane, version: string): Promise<void> {
  const path = `${group}/nodefeaturerules/z-round`
  const before = await client.send('GET', path)
  if (before.status === 404) await client.want('POST', `${group}/nodefeaturerules`, roundRule(version))
  else await client.want('PATCH', path, { spec: roundRule(version).spec })
}

function peakOf(pid: number | undefined): string {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? []
  const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ').slice(11, 13) ?? []
  return `peak ${(Number(kilobytes) / 1_024).toFixed(0)} MiB, ${((Number(user) + Number(system)) / 100).toFixed(1)} s of CPU`
}

interface Started {
  readonly pid: number | undefined
  end(): Promise<void>
}

/** The image's own, with a heap that has to do. */
const inContainer = '--max-old-space-size=150 --max-semi-space-size=1'

function startedBy(path: string, args: readonly string[], env: NodeJS.ProcessEnv): Started {
  const child = spawn(path, args, { stdio: 'ignore', env })
  const isOver = atEnd(() => child.kill('SIGKILL'))
  child.on('close', isOver)
  const ended = new Promise<void>(resolve => void child.once('exit', () => resolve()))
  let isAsked = false
  child.once('exit', code => {
    if (!isAsked) throw new Error(`${path} ended by itself with ${code}`)
  })
  return {
    pid: child.pid,
    async end() {
      isAsked = true
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function measured(what: string, plane: ControlPlane, start: () => Promise<Started>, round: string): Promise<void> {
  await setRound(plane, `${round}-1`)
  const started = await start()
  const first = await untilAll(plane, `${round}-1`)
  const atFirst = peakOf(started.pid)
  await systemClock.after(10_000)
  await setRound(plane, `${round}-2`)
  const second = await untilAll(plane, `${round}-2`)
  say(
    `${what}: all labelled after ${first.toFixed(1)} s (${atFirst}); a rule changes: ${second.toFixed(1)} s (${peakOf(started.pid)})`,
  )
  await started.end()
}

await using stack = new AsyncDisposableStack()
const master = await upstreamPath('nfd-master')
// The bundle of the image: what is measured is what is installed.
await setup()
stack.defer(teardown)
const program = join(process.env['BALLAST_BUNDLE'] ?? '', 'ballast.mjs')
const plane = await startControlPlane({ scheduler: 'off', controllerManager: false })
stack.defer(() => plane.stop())
const folder = mkdtempSync(join(tmpdir(), 'ballast-features-bench-'))
stack.defer(() => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'config.yaml')
const { kubeconfigOf } = await installFeatures(plane, file, { enableTaints: false })
const [processor] = cpus()
say(
  `${cpus().length} × ${processor?.model}, load ${loadavg()[0]?.toFixed(2)}, kube-apiserver ${plane.serverVersion} on the same machine`,
)
await fill(plane)
for (const rule of vendorRules) await plane.client.want('POST', `${group}/nodefeaturerules`, rule)
say(
  `${count} nodes, ${(JSON.stringify(published).length / 1e3).toFixed(1)} KB of features each, ${vendorRules.length + 1} NodeFeatureRules`,
)
for (const turn of ['a', 'b']) {
  await measured(
    'ours',
    plane,
    async () => {
      const kubeconfig = await kubeconfigOf(stack, { namespace: 'ballast-system', name: 'ballast-controller' })
      const args = [program, 'controller', '--kubeconfig', kubeconfig, '--install-crds', 'never', '--config', file]
      return startedBy(process.execPath, args, { ...environment, NODE_OPTIONS: inContainer, PATH: process.env['PATH'] })
    },
    `ours-${turn}`,
  )
  if (values.only === 'ours') continue
  await measured(
    'nfd-master',
    plane,
    async () => {
      const args = [`-kubeconfig=${plane.kubeconfig}`, `-port=${await freePort()}`, '-config=/nonexistent']
      return startedBy(master, args, { NODE_NAME: name(0), KUBERNETES_NAMESPACE: 'nfd' })
    },
    `theirs-${turn}`,
  )
}
