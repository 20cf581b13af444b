// The values Kubernetes fills in where a pod or a template says nothing.
import { type Draft, fieldsAt, itemsAt, textAt } from '../json-value.ts'
import { defaultField, defaultObject, defaultText, specOf } from './defaulting.ts'

/** Fills in the defaults of a pod's or a template's spec. */
export function podSpecDefaults(spec: Draft): void {
  defaultField(spec, 'restartPolicy', 'Always')
  defaultField(spec, 'terminationGracePeriodSeconds', 30)
  const grace = spec['terminationGracePeriodSeconds']
  if (typeof grace === 'bigint' ? grace < 0n : typeof grace === 'number' && grace < 0) spec['terminationGracePeriodSeconds'] = 1
  defaultField(spec, 'dnsPolicy', 'ClusterFirst')
  if (spec['dnsPolicy'] === '') spec['dnsPolicy'] = 'ClusterFirst'
  defaultField(spec, 'schedulerName', 'default-scheduler')
  defaultObject(spec, 'securityContext')
  const account = spec['serviceAccountName']
  if (typeof account === 'string' && account !== '') spec['serviceAccount'] = account
  else if (typeof spec['serviceAccount'] === 'string' && spec['serviceAccount'] !== '')
    spec['serviceAccountName'] = spec['serviceAccount']
  for (const list of ['containers', 'initContainers', 'ephemeralContainers']) {
    for (const container of itemsAt(spec, list)) containerDefaults(container)
  }
  for (const volume of itemsAt(spec, 'volumes')) volumeDefaults(volume)
  for (const constraint of itemsAt(spec, 'topologySpreadConstraints')) {
    if (constraint['labelSelector'] === null) delete constraint['labelSelector']
  }
}

/** Fills in what a pod has by default and a template has not: the pods that are made from it get it. */
export function podAloneDefaults(spec: Draft): void {
  defaultField(spec, 'enableServiceLinks', true)
  for (const container of [...itemsAt(spec, 'containers'), ...itemsAt(spec, 'initContainers')]) {
    const limits = fieldsAt(container, 'resources', 'limits')
    if (limits !== undefined) {
      const requests = defaultObject(defaultObject(container, 'resources'), 'requests')
      for (const [name, quantity] of Object.entries(limits)) defaultField(requests, name, quantity)
    }
    if (spec['hostNetwork'] !== true) continue
    for (const port of itemsAt(container, 'ports')) defaultField(port, 'hostPort', port['containerPort'])
  }
}

function containerDefaults(container: Draft): void {
  defaultObject(container, 'resources')
  defaultField(container, 'terminationMessagePath', '/dev/termination-log')
  defaultField(container, 'terminationMessagePolicy', 'File')
  defaultField(container, 'imagePullPolicy', pullPolicyOf(textAt(container, 'image') ?? ''))
  for (const port of itemsAt(container, 'ports')) defaultField(port, 'protocol', 'TCP')
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe']) probeDefaults(fieldsAt(container, name))
  for (const variable of itemsAt(container, 'env')) {
    const reference = fieldsAt(variable, 'valueFrom', 'fieldRef')
    if (reference !== undefined) defaultField(reference, 'apiVersion', 'v1')
    const file = fieldsAt(variable, 'valueFrom', 'fileKeyRef')
    if (file !== undefined) defaultField(file, 'optional', false)
  }
  for (const hook of ['postStart', 'preStop']) {
    const get = fieldsAt(container, 'lifecycle', hook, 'httpGet')
    if (get !== undefined) httpGetDefaults(get)
  }
}

const domain = '[a-zA-Z0-9]+(?:[-.]+[a-zA-Z0-9]+)*(?::\\d+)?'
const part = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
const imageName = new RegExp(`^(?:(?:${domain}|\\[[a-fA-F0-9:]+\\])/)?${part}(?:/${part})*(?::(\\w[\\w.-]{0,127}))?(@.+)?$`)

/** An image without tag and digest, or with the tag `latest`, is asked for anew; a name that none can have is not. */
function pullPolicyOf(image: string): 'Always' | 'IfNotPresent' {
  const [found, tag = 'latest', digest] = imageName.exec(image) ?? []
  // A name like the identity of an image is none.
  const isLatest = found !== undefined && digest === undefined && tag === 'latest' && !/^[a-f0-9]{64}$/.test(image)
  return isLatest ? 'Always' : 'IfNotPresent'
}

function probeDefaults(probe: Draft | undefined): void {
  if (probe === undefined) return
  for (const [name, value] of [
    ['timeoutSeconds', 1],
    ['periodSeconds', 10],
    ['successThreshold', 1],
    ['failureThreshold', 3],
  ] as const) {
    if (probe[name] === 0) delete probe[name]
    defaultField(probe, name, value)
  }
  const get = fieldsAt(probe, 'httpGet')
  if (get !== undefined) httpGetDefaults(get)
  const grpc = fieldsAt(probe, 'grpc')
  if (grpc !== undefined) defaultField(grpc, 'service', '')
}

function httpGetDefaults(get: Draft): void {
  defaultField(get, 'path', '/')
  defaultField(get, 'scheme', 'HTTP')
}

function volumeDefaults(volume: Draft): void {
  diskDefaults(volume)
  if (Object.keys(volume).every(name => name === 'name')) volume['emptyDir'] = {}
  for (const name of ['secret', 'configMap', 'downwardAPI', 'projected']) {
    const source = fieldsAt(volume, name)
    if (source === undefined) continue
    defaultField(source, 'defaultMode', 420)
    for (const item of [
      ...itemsAt(source, 'items'),
      ...itemsAt(source, 'sources').flatMap(projection => itemsAt(projection, 'downwardAPI', 'items')),
    ]) {
      const reference = fieldsAt(item, 'fieldRef')
      if (reference !== undefined) defaultField(reference, 'apiVersion', 'v1')
    }
    for (const projection of itemsAt(source, 'sources')) {
      const token = fieldsAt(projection, 'serviceAccountToken')
      if (token !== undefined) defaultField(token, 'expirationSeconds', 3600)
    }
  }
  const image = fieldsAt(volume, 'image')
  const reference = textAt(image, 'reference') ?? ''
  if (image !== undefined) defaultField(image, 'pullPolicy', pullPolicyOf(reference))
  const hostPath = fieldsAt(volume, 'hostPath')
  if (hostPath !== undefined) defaultField(hostPath, 'type', '')
  const claim = fieldsAt(volume, 'ephemeral', 'volumeClaimTemplate')
  if (claim !== undefined) defaultField(specOf(claim), 'volumeMode', 'Filesystem')
}

/** Where disks are that a volume names: the same for a pod's volume and for a PersistentVolume. */
export function diskDefaults(source: Draft): void {
  const [iscsi, rbd] = [fieldsAt(source, 'iscsi'), fieldsAt(source, 'rbd')]
  const [azure, scale] = [fieldsAt(source, 'azureDisk'), fieldsAt(source, 'scaleIO')]
  for (const [name, value] of Object.entries({ cachingMode: 'ReadWrite', kind: 'Shared', fsType: 'ext4', readOnly: false }))
    if (azure !== undefined) defaultField(azure, name, value)
  for (const [name, value] of Object.entries({ storageMode: 'ThinProvisioned', fsType: 'xfs' }))
    if (scale !== undefined) defaultText(scale, name, value)
  if (iscsi !== undefined) defaultText(iscsi, 'iscsiInterface', 'default')
  if (rbd === undefined) return
  for (const [name, value] of Object.entries({ pool: 'rbd', user: 'admin', keyring: '/etc/ceph/keyring' }))
    defaultText(rbd, name, value)
}
