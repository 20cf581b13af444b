// The page Hardware of a large cluster: how long a look at it takes, and how many bytes it has. `npm run bench -- hardware-page [--nodes N]`.

import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { hardwarePage } from '../src/capabilities/devices/page/hardware-page.ts'
import { pictureOf } from '../src/dashboard/views/testdata/homelab.ts'
import { everything } from '../src/dashboard/views/viewing.ts'
import type { KubeObject } from '../src/kube/objects/objects.ts'

const { values } = parseArgs({ options: { nodes: { type: 'string', default: '5000' } } })
const nodes = Number(values.nodes)
const podsPerNode = 30
const waiting = nodes / 5
const rounds = 20
const resources = ['gpu.intel.com/i915', 'gpu.intel.com/xe']

const amounts = { cpu: '32', memory: '64Gi', pods: '110', ...Object.fromEntries(resources.map(name => [name, '5'])) }
const nodeObject = (at: number): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: `n${at}`,
    uid: `n${at}`,
    labels: {
      'kubernetes.io/hostname': `n${at}`,
      // As many as a worker asks for by default, most of them the same on all nodes.
      ...Object.fromEntries(Array.from({ length: 60 }, (_, label) => [`feature.node.kubernetes.io/cpu-cpuid.F${label}`, 'true'])),
      'feature.node.kubernetes.io/system-serial': `s${at}`,
    },
  },
  spec: {},
  status: { capacity: amounts, allocatable: amounts, conditions: [{ type: 'Ready', status: 'True' }] },
})

function podObject(name: string, node: string | undefined, resource: string | undefined): KubeObject {
  const requests = { cpu: '100m', ...(resource === undefined ? {} : { [resource]: '1' }) }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'media', uid: name },
    spec: {
      ...(node === undefined ? {} : { nodeName: node }),
      containers: [{ name: 'app', image: 'x', resources: { requests } }],
    },
    status: { phase: node === undefined ? 'Pending' : 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  }
}

const picture = pictureOf([
  ...Array.from({ length: nodes }, (_, at) => nodeObject(at)),
  ...Array.from({ length: nodes * podsPerNode }, (_, at) =>
    podObject(`p${at}`, `n${at % nodes}`, at < nodes * 6 ? resources[at % 2] : undefined),
  ),
  ...Array.from({ length: waiting }, (_, at) => podObject(`w${at}`, undefined, resources[at % 2])),
])
const took: number[] = []
let bytes = 0
for (let round = 0; round < rounds; round += 1) {
  const before = process.cpuUsage()
  bytes = Buffer.byteLength(JSON.stringify(hardwarePage.view(picture, everything)))
  const { user, system } = process.cpuUsage(before)
  took.push((user + system) / 1_000)
}
took.sort((left, right) => left - right)
console.log(`${cpus().length} × ${cpus()[0]?.model}, load ${loadavg()[0]?.toFixed(2)}, Node ${process.version}`)
console.log(
  `${nodes} nodes, ${nodes * podsPerNode} pods, ${nodes * 6} of them with a device, ${waiting} that wait: median ${took[rounds / 2]?.toFixed(0)} ms of CPU, longest ${took.at(-1)?.toFixed(0)} ms, ${(bytes / 1_024).toFixed(0)} KiB`,
)
