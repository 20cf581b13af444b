// The API server of a cluster that is measured, a twin in a process of its own: `node bench/metrics-api-server.ts KUBECONFIG` reads the ports of
// the kubelets as a line of JSON, writes an administrator's kubeconfig, and ends with its standard input.
import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { systemClock } from '#kube/clock.ts'
import { SharedValues } from '#twin/shared-values.ts'
import { startTwin } from '#twin/twin.ts'
import { clusterObjects } from './metrics-cluster.ts'

const [kubeconfig = 'kubeconfig'] = process.argv.slice(2)
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const { value } = await lines.next()
const ports: readonly number[] = JSON.parse(String(value))
const sharedValues = new SharedValues()
const objects = Array.from(clusterObjects(ports), object => sharedValues.shared(object))
await using twin = await startTwin({ clock: systemClock, objects, sharedValues, components: false, listen: { port: 0 } })
writeFileSync(kubeconfig, await twin.kubeconfig({ name: 'bench', groups: ['system:masters'] }), { mode: 0o600 })
process.stdout.write('ready\n')
await lines.next()
