// AMD's device plugin, whose place the role `devices` of our agents takes, and what it is told: by its chart, and by DaemonSets of its manifests.

import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type ConvertedValues, convertValues } from '#upstreams/convert-values.ts'
import { type Around, type ChartInput, isNamedAfter, none, type Upstream } from '#upstreams/upstream.ts'
import { converted, dropped, type ValuesRow } from '#upstreams/values-row.ts'
import { isTree, type ValuesTree } from '#upstreams/values-tree.ts'
import { amdDomain } from '../names.ts'
import { nodeSteps } from './chosen-nodes.ts'
import { offeringSwap } from './offering-swap.ts'
import { ofSet, onlyOf, valuesOf } from './told-plugins.ts'

const amdChart = 'amd-gpu'
/** Charts whose keys are recorded, oldest first. */
export const amdVersions: readonly string[] = [13, 14, 15, 16, 17, 18, 19, 20, 21].map(minor => `0.${minor}.0`)

const oneImage = 'Ballast is one image of its own'
const labellerWhy = 'its node labeller is a DaemonSet of its own, which stays as it is'
const ownPods = 'our pods have settings of their own (agent)'

export const amdRows: readonly ValuesRow[] = [
  ...['repository', 'tag'].map(key => dropped(`dp.image.${key}`, oneImage)),
  dropped('dp.resources', ownPods),
  dropped('dp.updateStrategy', ownPods, { since: '0.20.0' }),
  dropped('nfd', 'node-feature-discovery is a release of its own, which stays as it is: see ballast migrate plan nfd'),
  dropped('labeller', labellerWhy),
  dropped('lbl', labellerWhy),
  dropped('imagePullSecrets', 'it is for images of upstream; ours are pulled by imagePullSecrets of ours'),
  dropped('securityContext', 'ours may open no device'),
  dropped('tolerations', 'our agents tolerate every taint (agent.tolerations)'),
  dropped('node_selector_enabled', 'it belongs to node_selector'),
  converted('node_selector', (value, { read }) =>
    read('node_selector_enabled') === true ? nodeSteps(value) : [{ kind: 'dropped', why: 'node_selector_enabled is not true' }],
  ),
  ...['nameOverride', 'fullnameOverride', 'serviceAccount.create', 'serviceAccount.name'].map(key =>
    dropped(key, 'names of upstream go with it'),
  ),
]

/** Its pods look at no GPU's health: the chart gives the plugin no words. */
export function convertAmdChart({ values, version, namespace }: ChartInput): ConvertedValues {
  const start = { capabilities: { devices: { enabled: true, ...onlyOf('amd'), amd: { enabled: true } } } }
  return convertValues({ values, version, namespace, rows: amdRows, start })
}

/** The container that runs the plugin: the labeller has the same repository for its image. */
function pluginContainer(workload: unknown): ValuesTree | undefined {
  return listAt(workload, 'spec', 'template', 'spec', 'containers')
    .filter(isTree)
    .find(container => {
      const image = textAt(container, 'image') ?? ''
      const isLabeller =
        /:labeller-/.test(image) || listAt(container, 'command').some(word => /node-labeller$/.test(String(word)))
      return /(^|\/)k8s-device-plugin([:@].*)?$/.test(image) && /(^|\/)rocm\//.test(image) && !isLabeller
    })
}

const isPlugin = (object: unknown): boolean => textAt(object, 'kind') === 'DaemonSet' && pluginContainer(object) !== undefined

const flagKeys: Readonly<Record<string, string>> = { resource_naming_strategy: 'resourceNamingStrategy', pulse: 'health' }

const exporterFolder = /^\/var\/lib\/amd-metrics-exporter\/?$/

function mountsExporter(set: ValuesTree): boolean {
  return listAt(set, 'spec', 'template', 'spec', 'volumes').some(volume =>
    exporterFolder.test(textAt(volume, 'hostPath', 'path') ?? ''),
  )
}

/** DaemonSets of a cluster, or of a file, among which `workload` is one. */
export function convertAmdObjects(workload: ValuesTree, { beside, namespace }: Around): ConvertedValues {
  const keyOf = (object: unknown) =>
    `${textAt(object, 'metadata', 'namespace') ?? ''}/${textAt(object, 'metadata', 'name') ?? ''}`
  const sets = new Map(
    [workload, ...beside]
      .filter(isTree)
      .filter(isPlugin)
      .map(set => [keyOf(set), set]),
  )
  const told = Array.from(sets.values(), set => {
    const plugin = {
      device: 'amd',
      program: 'amd-gpu-plugin',
      container: pluginContainer(set),
      keys: flagKeys,
      rows: {},
    } as const
    const { section, ...told } = ofSet(set, plugin, namespace)
    // Its plugin asks the exporter at each pulse, where its pod has the socket.
    const isAsked = section['health'] === 'kfd' && mountsExporter(set)
    return { ...told, section: isAsked ? { ...section, exporter: { enabled: true } } : section }
  })
  return valuesOf(told, [])
}

export const amdPlugin: Upstream = {
  ...none,
  name: 'AMD device plugin',
  capability: 'devices',
  workloads: [/^amd-?gpu-device-plugin-daemonset$/],
  names: [amdChart, 'amdgpu-device-plugin'],
  images: ['rocm/k8s-device-plugin'],
  beside: () => 'both offer the same GPUs; a kubelet takes them from the one that registered last',
  replaced: {
    id: 'amd-device-plugin',
    chart: amdChart,
    versions: amdVersions,
    rows: amdRows,
    convert: convertAmdChart,
    convertWorkload: convertAmdObjects,
    plainKinds: [],
    isObject: isPlugin,
    swap: {
      ...offeringSwap,
      part: {
        ...offeringSwap.part,
        sections: { own: ['amd'], others: ['gpu', 'npu'] },
        // Whatever else is below the domain is a style of partitions.
        isOffered: resource => resource.startsWith(`${amdDomain}/`),
        isOperator: () => false,
        objects: {},
        looksAfter: async () => [],
        uninstallHarm: 'takes away what --back brought back, and its node labeller',
      },
      isAside: (workload: KubeObject) => pluginContainer(workload) === undefined,
      isPlain: isNamedAfter,
      hint: () => 'its node labeller, and labels of nodes, stay',
      reinstall: `helm install amd-gpu amd-gpu-helm/${amdChart} -n kube-system`,
    },
  },
}
