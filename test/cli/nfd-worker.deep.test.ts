// `ballast nfd-worker` as a DaemonSet of upstream's chart runs it: flags with one dash, its environment, its port.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { hostClock, systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { featureKinds } from '../../src/capabilities/features/kinds.ts'
import { startEmbeddedCluster } from '../../src/cli/up/embedded-cluster.ts'
import { freePort } from '../real/control-plane/free-ports.ts'
import { runBallast } from './run-ballast.ts'
import { startBallast } from './running-ballast.ts'

let folder = ''
const stop = new AbortController()
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-nfd-worker-'))
})
afterAll(() => {
  stop.abort(new DOMException('the test is over', 'AbortError'))
  rmSync(folder, { recursive: true, force: true })
})

const environment = { NODE_NAME: 'here', KUBERNETES_NAMESPACE: 'nfd' }

async function cluster() {
  const started = await startEmbeddedCluster({
    objects: [
      ...featureKinds.flatMap(({ definition }) => definition ?? []),
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'nfd' } },
    ],
    clock: hostClock(),
    leaseClock: systemClock,
    seed: 1,
    listen: { port: 0, bind: '127.0.0.1' },
    log: silentLog,
    signal: stop.signal,
  })
  const kubeconfig = join(folder, `kubeconfig-${Math.floor(systemClock.elapsed())}`)
  writeFileSync(kubeconfig, await started.twin.kubeconfig(), { mode: 0o600 })
  const published = () => (started.twin.access.list('nodefeatures.nfd.k8s-sigs.io') as readonly KubeObject[])[0]
  return { kubeconfig, published, [Symbol.asyncDispose]: () => started[Symbol.asyncDispose]() }
}

test('once: it publishes what -options leave, and ends', async () => {
  await using of = await cluster()
  const args = [
    'nfd-worker',
    '-oneshot',
    '-kubeconfig',
    of.kubeconfig,
    '-options={core: {noPublishFeatures: ["kernel.*"]}}',
    '-label-sources=system',
  ]
  const { code, words } = await runBallast(args, '', { environment })
  expect([code, words]).toEqual([0, expect.stringContaining('the features of the node are published')])
  const object = of.published()
  expect(object?.metadata).toMatchObject({
    name: 'here',
    namespace: 'nfd',
    labels: { 'nfd.node.kubernetes.io/node-name': 'here' },
  })
  const spec = JSON.stringify(object?.['spec'])
  expect(spec).toContain('"system.name"')
  expect(spec).not.toMatch(/"kernel\.|cpu-cpuid/)
})

test('it serves metrics and health at its port, and ends with 0', async () => {
  await using of = await cluster()
  const port = await freePort()
  await using worker = startBallast(['nfd-worker', '-kubeconfig', of.kubeconfig, `-port=${port}`], { environment })
  await worker.said(/features of the node are published/)
  const ask = async (path: string) => await (await fetch(`http://127.0.0.1:${port}${path}`)).text()
  // It is told of what was published a moment after the server has it.
  await vi.waitFor(async () => expect(await ask('/healthz')).toBe('ok'), { timeout: 20_000 })
  const metrics = await ask('/metrics')
  expect(metrics).toContain('nfd_worker_feature_discovery_duration_seconds_count{node="here"} 1')
  expect(metrics).toContain('nfd_worker_build_info')
  expect(await worker.stop()).toBe(0)
})

test.each([
  [['-owner-refs=pod,pod'], environment, 'pod twice'],
  [[], {}, 'NODE_NAME'],
])('%j is refused before anything is asked', async (args, given, why) => {
  const { code, output, words } = await runBallast(['nfd-worker', ...args], '', { environment: given })
  expect([code, output]).toEqual([2, ''])
  expect(words).toContain(why)
})
