// `ballast uninstall` on a real API server, whose own record says who set a workload to zero: through the scale, as an autoscaler or a user, or in
// the object itself.
import { deepStrictEqual, strictEqual } from 'node:assert'
import { servedKinds } from '../../../src/capabilities/autoscale/kinds/served-kinds.ts'
import { yamlDocuments } from '../../../src/deployment/yaml-text.ts'
import { commandLine } from '../ballast/site.ts'
import { startControlPlane } from '../control-plane/start.ts'
import { runCommand } from '../run-command.ts'
import { kubectlOf } from './lifecycle.ts'

/** Who sets it to zero: a field manager through the scale, a user in the object, or its manifest. A ScaledObject found each at 2 but for the last. */
const setters = {
  ours: 'ballast-autoscale',
  keda: 'keda',
  user: undefined,
  manifest: undefined,
} as const

const deployment = (name: string, replicas: number) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'default' },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name, image: 'example.net/app' }] } },
  },
})

const scaled = (name: string) => ({
  apiVersion: 'keda.sh/v1alpha1',
  kind: 'ScaledObject',
  metadata: { name, namespace: 'default' },
  spec: { scaleTargetRef: { name }, minReplicaCount: 0, triggers: [{ type: 'cron', metadata: {} }] },
})

export async function judgeAsleep(): Promise<string> {
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: true })
  try {
    const kubectl = await kubectlOf(plane)
    const names = Object.keys(setters)
    const definitions = servedKinds.flatMap(({ definition }) => definition ?? [])
    await kubectl(['apply', '--server-side', '-f', '-'], yamlDocuments(definitions))
    await kubectl(['wait', '--for=condition=Established', '--timeout=60s', 'crd/scaledobjects.keda.sh'])
    const objects = names.map(name => deployment(name, name === 'manifest' ? 0 : 2))
    await kubectl(['apply', '-f', '-'], yamlDocuments([...objects, ...names.map(scaled)]))
    for (const [name, by] of Object.entries(setters)) {
      if (by === undefined) continue
      const path = `/apis/apps/v1/namespaces/default/deployments/${name}/scale`
      const { body } = await plane.client.send('GET', path)
      const zero = { ...Object(body), spec: { replicas: 0 } }
      strictEqual((await plane.client.send('PUT', `${path}?fieldManager=${by}`, zero)).status, 200)
    }
    await kubectl(['patch', 'deployment', 'user', '--type=merge', '-p', '{"spec":{"replicas":0}}'])
    for (const name of names)
      await plane.client.want('PATCH', `/apis/keda.sh/v1alpha1/namespaces/default/scaledobjects/${name}/status`, {
        status: { originalReplicaCount: name === 'manifest' ? 0 : 2 },
      })
    const ballast = async (...words: readonly string[]) =>
      await runCommand(process.execPath, [commandLine, 'uninstall', ...words, '--kubeconfig', plane.kubeconfig], {
        timeoutMs: 120_000,
      })
    const replicas = async () =>
      await Promise.all(
        names.map(async name => [name, await kubectl(['get', 'deployment', name, '-o', 'jsonpath={.spec.replicas}'])].join(' ')),
      )
    const planned = await ballast('--dry-run')
    deepStrictEqual(await replicas(), ['ours 0', 'keda 0', 'user 0', 'manifest 0'])
    const done = await ballast('--yes')
    strictEqual(done.code, 0, done.stderr)
    deepStrictEqual(await replicas(), ['ours 1', 'keda 1', 'user 0', 'manifest 0'])
    const woken = (text: string) => text.split('\n').filter(line => line.includes('wake Deployment'))
    deepStrictEqual(
      woken(planned.stdout).map(line => line.replace(/^would /, '')),
      woken(done.stdout),
    )
    const stays = done.stderr.split('\n').filter(line => line.startsWith('stays: '))
    deepStrictEqual(stays, [
      'stays: Deployment default/manifest at zero replicas: kubectl-client-side-apply set it to zero, not an autoscaler',
      'stays: Deployment default/user at zero replicas: kubectl-patch set it to zero, not an autoscaler',
    ])
    return `${woken(done.stdout).length} woken, ${stays.length} stay at zero as their users set them`
  } finally {
    await plane.stop()
  }
}
