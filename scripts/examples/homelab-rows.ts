// A homelab as a table that people edit, `<name>.yaml` beside this file: its nodes and what runs on them. `homelab-objects.ts` turns the rows
// into Kubernetes objects.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import * as z from 'zod'
import { owners } from '#cluster/ownership.ts'

const texts = () => z.record(z.string(), z.string())
const count = () => z.int().min(0)
const port = () => z.int().min(1).max(65_535).exactOptional()

const nodeRow = z.strictObject({
  name: z.string(),
  address: z.string(),
  cpuMillicores: count(),
  memoryMi: count(),
  capacityCpu: z.string(),
  capacityMemoryMi: count(),
  labels: texts().default({}),
  extended: texts().default({}),
  usedMillicores: count().describe('as metrics.k8s.io reports the whole node'),
  usedMi: count(),
  cpuShare: z.number().describe('use of a pod as a share of its request, where its row names no figure of its own'),
  memoryShare: z.number(),
})
export type NodeRow = z.output<typeof nodeRow>

const workloadRow = z
  .strictObject({
    namespace: z.string(),
    name: z.string(),
    kind: z.enum(['Deployment', 'StatefulSet', 'DaemonSet', 'Static']),
    replicas: count().default(1).describe('a DaemonSet has none'),
    request: z.tuple([count(), count()]).describe('millicores and mebibytes'),
    nodes: z.array(z.string()).default([]).describe('where its pods are; of a DaemonSet that names none: everywhere'),
    owner: z
      .enum([...owners, 'core'])
      .default('core')
      .describe('who may move it: the value of its owner label; `core` is never moved and carries no label'),
    image: z.string(),
    port: port(),
    hostPort: port(),
    readyPort: port().describe('where `/readyz` is asked every 3 s, from its start on'),
    volume: z
      .enum(['network', 'local'])
      .exactOptional()
      .describe("`network`: a claim that follows the pod; `local`: a volume that lies on the pod's node"),
    secret: z
      .strictObject({ name: z.string(), values: texts() })
      .exactOptional()
      .describe('read as environment variables; it asks to be reloaded when that changes'),
    usedMillicores: count().exactOptional(),
    usedMi: count().exactOptional(),
    nodeSelector: texts().exactOptional(),
    toleratesControlPlane: z.boolean().exactOptional().describe('false: a DaemonSet that stays off a tainted control plane'),
    limits: texts().exactOptional().describe('devices it asks for'),
    annotations: texts().exactOptional().describe('on the workload'),
    args: z.array(z.string()).exactOptional().describe('what its container is started with'),
  })
  .transform(({ request: [cpuMillicores, memoryMi], ...row }) => ({ ...row, cpuMillicores, memoryMi }))
export type WorkloadRow = z.output<typeof workloadRow>

const claimRow = z.strictObject({ namespace: z.string(), name: z.string(), size: z.string() })
export type ClaimRow = z.output<typeof claimRow>

const homelabTable = z.strictObject({
  takenAt: z.string().describe('when `kubectl get` was run'),
  createdAt: z.string().describe('when things were made'),
  startedAt: z.string().describe('when the pods started'),
  saysOwners: z
    .boolean()
    .describe('whether workloads carry the label that says who may move them, and those that may be moved a disruption budget'),
  system: z.strictObject({
    containerRuntimeVersion: z.string(),
    kernelVersion: z.string(),
    kubeletVersion: z.string(),
    osImage: z.string(),
  }),
  nodes: z.array(nodeRow),
  workloads: z.array(workloadRow),
  namespaceLabels: z.record(z.string(), texts()).default({}),
  storageClasses: z
    .array(
      z.strictObject({
        name: z.string(),
        provisioner: z.string(),
        bindingMode: z.enum(['Immediate', 'WaitForFirstConsumer']),
        more: z.record(z.string(), z.unknown()).exactOptional(),
      }),
    )
    .default([]),
  sharedClaims: z.array(claimRow).default([]).describe('claims that several pods share'),
  imageBytes: z
    .record(z.string(), count())
    .default({})
    .describe("sizes of images on the nodes that run them, where the node's status is to list them"),
})

/** A homelab as a whole; the header of each file made from it names its table. */
export type Homelab = z.output<typeof homelabTable> & { readonly table: string }

/** What `<name>.yaml` says. @throws ZodError with all that is wrong in it */
export function readHomelab(name: string): Homelab {
  const table = `${name}.yaml`
  const lab = homelabTable.parse(parse(readFileSync(join(import.meta.dirname, table), 'utf8')))
  const everywhere = lab.nodes.map(node => node.name)
  const workloads = lab.workloads.map(row =>
    row.kind === 'DaemonSet' && row.nodes.length === 0 ? { ...row, nodes: everywhere } : row,
  )
  return { ...lab, table, workloads }
}
