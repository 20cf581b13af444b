// What is used may be told by another server behind the API server: while that is away, all else is read.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { person, testNodes } from '#twin/components/cluster-for-tests.ts'
import { startTwin } from '#twin/twin.ts'
import { readLive } from '../src/cli/source/live-source.ts'

test('a cluster whose metrics.k8s.io nobody answers is read, and that is said', async () => {
  const registration = {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: 'v1beta1.metrics.k8s.io' },
    spec: {
      ...{
        group: 'metrics.k8s.io',
        version: 'v1beta1',
        groupPriorityMinimum: 100,
        versionPriority: 100,
        insecureSkipTLSVerify: true,
      },
      service: { namespace: 'default', name: 'gone', port: 443 },
    },
  }
  await using stack = new AsyncDisposableStack()
  const twin = stack.use(await startTwin({ clock: systemClock, seed: 1, objects: testNodes(2), listen: { port: 0 } }))
  // A port that nobody listens at.
  const annotations = { 'ballast.dev/twin-endpoint': 'https://127.0.0.1:1' }
  const metadata = { name: 'gone', namespace: 'default', annotations }
  const service = { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 443 }] } }
  twin.access.create('services', service, person)
  twin.access.create('apiservices.apiregistration.k8s.io', registration, person)
  const directory = mkdtempSync(join(tmpdir(), 'ballast-live-'))
  stack.defer(() => rmSync(directory, { recursive: true }))
  const kubeconfig = join(directory, 'config')
  writeFileSync(kubeconfig, await twin.kubeconfig(), { mode: 0o600 })
  const said: string[] = []
  const spied = vi.spyOn(process.stderr, 'write').mockImplementation(text => said.push(String(text)) > 0)
  stack.defer(() => spied.mockRestore())
  const live = await readLive({ environment: {}, kubeconfig, context: undefined, signal: AbortSignal.timeout(30_000) })
  expect(live.objects.filter(({ kind }) => kind === 'Node')).toHaveLength(2)
  expect(live.objects.filter(({ kind }) => kind.endsWith('Metrics'))).toEqual([])
  expect(said.join('')).toMatch(/^nodes\.metrics\.k8s\.io cannot be read: .*\npods\.metrics\.k8s\.io cannot be read: .*\n$/)
})
