// A cluster whose nodes have features: two nodes with what workers publish of them, and rules of a vendor.
import { features } from '#capabilities/features'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import type { ControlledCluster, ControlledOptions } from './controlled-cluster.ts'
import { node } from './small-cluster.ts'

const apiVersion = 'nfd.k8s-sigs.io/v1alpha1'
const ofGroup = (resource: string) => ({ group: 'nfd.k8s-sigs.io', version: 'v1alpha1', resource })
export const nodeFeatures = ofGroup('nodefeatures')
export const nodeFeatureRules = ofGroup('nodefeaturerules')

/** What a worker says of a node: a graphics card of a device, or none. */
export function featuresOf(name: string, device: string | undefined, labels: Readonly<Record<string, string>> = {}): KubeObject {
  const elements = device === undefined ? [] : [{ attributes: { class: '0300', vendor: '8086', device } }]
  return {
    apiVersion,
    kind: 'NodeFeature',
    metadata: { name, namespace: 'nfd', labels: { 'nfd.node.kubernetes.io/node-name': name } },
    spec: {
      features: {
        flags: {},
        attributes: { 'system.name': { elements: { nodename: name } } },
        instances: { 'pci.device': { elements } },
      },
      labels,
    },
  }
}

export function ruleObject(name: string, ...rules: readonly object[]): KubeObject {
  return { apiVersion, kind: 'NodeFeatureRule', metadata: { name }, spec: { rules } }
}

/** A rule that gives what a vendor's gives: label, annotation, resource, taint. */
export const graphicsRule = ruleObject('graphics', {
  name: 'intel graphics',
  labels: { 'gpu.example.com/present': 'true' },
  labelsTemplate: '{{ range .pci.device }}gpu.example.com/device-{{ .device }}=here\n{{ end }}',
  annotations: { 'gpu.example.com/by': 'graphics' },
  extendedResources: { 'gpu.example.com/shares': '1k' },
  taints: [{ key: 'gpu.example.com/only', value: 'yes', effect: 'NoSchedule' }],
  matchFeatures: [{ feature: 'pci.device', matchExpressions: { class: { op: 'In', value: ['0300'] } } }],
})

export const namespaceObject = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })

export function featuresCluster(
  objects: readonly KubeObject[],
  master: object = { enableTaints: true },
): Pick<ControlledOptions, 'objects' | 'capabilities' | 'configurations'> {
  return {
    objects: [namespaceObject('nfd'), node('n1'), node('n2'), ...objects],
    capabilities: [features],
    configurations: { features: features.config.parse({ master }) },
  }
}

export function nodeIn(cluster: Pick<ControlledCluster, 'list'>, name: string): Node {
  const found = cluster.list<Node>('nodes').find(({ metadata }) => metadata.name === name)
  if (found === undefined) throw new Error(`no node ${name}`)
  return found
}

/** What a node has of the vendor's rule. */
export function givenTo(cluster: Pick<ControlledCluster, 'list'>, name: string) {
  const { metadata, status, spec } = nodeIn(cluster, name)
  const ofVendor = (values: Readonly<Record<string, unknown>> = {}) =>
    Object.fromEntries(Object.entries(values).filter(([key]) => key.startsWith('gpu.example.com/')))
  return {
    labels: ofVendor(metadata.labels),
    annotations: ofVendor(metadata.annotations),
    capacity: ofVendor(status?.capacity),
    taints: (spec?.taints ?? []).map(({ key }) => key).filter(key => key.startsWith('gpu.example.com/')),
  }
}

/** The annotations by which what is ours is known. */
export function listsOn(cluster: Pick<ControlledCluster, 'list'>, name: string): Readonly<Record<string, string>> {
  const all = Object.entries(nodeIn(cluster, name).metadata.annotations ?? {})
  return Object.fromEntries(all.filter(([key]) => key.includes('nfd.node.kubernetes.io/')))
}
