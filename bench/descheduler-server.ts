// A twin with a big cluster that nobody moves, in a process of its own: `node bench/descheduler-server.ts NODES PODS` prints the path of an
// administrator's kubeconfig when it answers, and ends with its standard input.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { SharedValues } from '#twin/shared-values.ts'
import { startTwin } from '#twin/twin.ts'
import { type ClusterSize, clusterNamespaces, clusterNode, clusterPod } from './descheduler-cluster.ts'

function* objectsOf(size: ClusterSize): Generator<KubeObject> {
  yield* clusterNamespaces()
  for (let at = 0; at < size.nodes; at++) yield clusterNode(size, at)
  for (let at = 0; at < size.pods; at++) yield clusterPod(size, at)
}

async function serve(size: ClusterSize): Promise<void> {
  const sharedValues = new SharedValues()
  const objects = Array.from(objectsOf(size), object => sharedValues.shared(object))
  await using twin = await startTwin({ clock: systemClock, objects, sharedValues, components: false, listen: { port: 0 } })
  const directory = mkdtempSync(join(tmpdir(), 'ballast-descheduler-server-'))
  try {
    const kubeconfig = join(directory, 'kubeconfig')
    writeFileSync(kubeconfig, await twin.kubeconfig({ name: 'bench', groups: ['system:masters'] }), { mode: 0o600 })
    process.stdout.write(`${kubeconfig}\n`)
    for await (const _ of process.stdin);
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const [nodes = 0, pods = 0] = process.argv.slice(2).map(Number)
await serve({ nodes, pods })
