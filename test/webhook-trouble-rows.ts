// What gives the certificates of webhooks, and the configurations that name them, something to do, for the runs under trouble: nodes are
// served meanwhile, and in the end API servers are told to believe what is served.
import { readiness } from '#capabilities/readiness'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type ControlledCluster, namespace } from './controlled-cluster.ts'
import type { Run, TroubleRow } from './part-troubles.ts'
import { node } from './small-cluster.ts'

const { signal } = new AbortController()
const webhooks = 'webhooks'
const secretName = 'ballast-tls'
const configurationName = 'ballast-readiness'
const ownTaint = 'ballast.dev/agent-not-ready'
const condition = 'ballast.dev/MirrorReady'

interface Configuration extends KubeObject {
  readonly webhooks?: readonly { readonly clientConfig: { readonly caBundle?: string } }[]
}

const configurationsIn = (cluster: ControlledCluster) =>
  cluster
    .list<Configuration>('mutatingwebhookconfigurations.admissionregistration.k8s.io')
    .filter(({ metadata }) => metadata.name === configurationName)

/** What is not as it is to be: a line each. */
function undone(cluster: ControlledCluster): readonly string[] {
  const secret = cluster
    .list<KubeObject & { readonly data?: Readonly<Record<string, string>> }>('secrets')
    .filter(({ metadata }) => metadata.name === secretName)
  const data = secret[0]?.data ?? {}
  const served = cluster.shared?.certificates?.leaf.certificate
  const configurations = configurationsIn(cluster)
  const check = cluster.shared?.check
  return [
    ...(secret.length === 1 ? [] : [`there are ${secret.length} Secrets`]),
    ...(served !== undefined && Buffer.from(data['tls.crt'] ?? '', 'base64').toString() === served
      ? []
      : ['what is served is not what the Secret has']),
    ...(check?.ok === true && check.state === 'shared certificate' ? [] : [`its check says ${JSON.stringify(check)}`]),
    ...(configurations.length === 1 ? [] : [`there are ${configurations.length} configurations`]),
    ...configurations.flatMap(({ metadata, webhooks: all = [] }) => [
      ...(all.length > 0 && all.every(one => one.clientConfig.caBundle === data['ca.crt']) ? [] : ['its bundle is another']),
      ...(metadata.annotations?.['ballast.dev/cabundle-inject'] === `${namespace}/${secretName}`
        ? []
        : ['it does not say whose bundle it wants']),
    ]),
  ]
}

const isFree = (cluster: ControlledCluster, name: string) => {
  const { status, spec } = cluster.list<Node>('nodes').find(({ metadata }) => metadata.name === name) ?? {}
  const isServing = status?.conditions?.some(({ type }) => type === condition) === true
  return isServing && !(spec?.taints ?? []).some(({ key }) => key === ownTaint)
}

/** A node that joins with its taint, as kubelets register, and is told ready after 40 s. */
async function join(cluster: ControlledCluster): Promise<void> {
  const { uid: _, ...metadata } = node('n2').metadata
  const taint = { key: ownTaint, effect: 'NoSchedule' }
  await cluster.admin
    .resource<KubeObject>(builtIn.nodes)
    .create({ ...node('n2'), metadata, spec: { taints: [taint] } }, { signal })
  const say = async () => {
    const at = new Date(cluster.clock.now()).toISOString()
    const conditions = [{ type: condition, status: 'True', lastTransitionTime: at, lastHeartbeatTime: at }]
    await cluster.admin
      .resource<Node>(builtIn.nodes)
      .patch('n2', { type: 'strategic', body: { status: { conditions } } }, { signal, subresource: 'status' })
  }
  cluster.clock.schedule(40_000, () => void say())
}

const row: TroubleRow = {
  cluster: {
    objects: [node('n1')],
    capabilities: [readiness],
    sharesCertificate: true,
    configurations: {
      readiness: readiness.config.parse({
        admission: true,
        rules: [{ name: 'mirror', require: [{ condition: `${condition}=True` }] }],
      }),
    },
  },
  limitMs: 120_000,
  isReady: cluster => undone(cluster).length === 0,
  async work(cluster) {
    await join(cluster)
    if (undone(cluster).length > 0) return
    // Somebody tidies up.
    await cluster.admin.resource(builtIn.secrets).delete(secretName, { namespace, signal })
    const all = configurationsIn(cluster)[0]?.webhooks ?? []
    const bundle = Buffer.from('-----BEGIN CERTIFICATE-----').toString('base64')
    const spoiled = all.map(one => ({ ...one, clientConfig: { ...one.clientConfig, caBundle: bundle } }))
    await cluster.change(builtIn.mutatingwebhookconfigurations, { name: configurationName }, { webhooks: spoiled })
  },
  units: cluster =>
    new Map([
      [webhooks, undone(cluster).length === 0],
      ['n2', isFree(cluster, 'n2')],
    ]),
  unitOf: key => (/ (\/\S*)?(secrets|mutatingwebhookconfigurations)\b/.test(` ${key}`) ? webhooks : undefined),
  faults: undone,
}

/** By what there was before. */
export const webhookRows: Readonly<Record<string, TroubleRow>> = {
  'with a Secret that is there': row,
  'with a Secret that nobody made yet': { ...row, startsFirst: true },
}

/** Whether a run meets what this file is about: one verb of a kind, or everything that is read at one path. */
export const isOfWebhooks = ({ key }: Run): boolean =>
  row.unitOf(key) !== undefined && (!key.includes('/') || key.startsWith('GET /'))
