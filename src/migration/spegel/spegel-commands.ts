// The commands of which the plan of a mirror's swap consists, as a shell takes them. Pure.
import { programVersion } from '#kube/version.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { isPinned, pinned, swapLabel, unpinned } from '../mirror-pin.ts'
import { affinityOf, type NodeSet, type OwnMirror, type SpegelState, strategyOf } from './spegel-situation.ts'

export const valuesFile = 'ballast-values.yaml'
export const upstreamValuesFile = 'spegel-values.yaml'
export const upstreamObjectsFile = 'spegel-objects.yaml'

const agentNamespace = 'ballast-agent'
const ownName = 'ballast-agent-mirror'
const ownSelector = 'app.kubernetes.io/name=ballast,app.kubernetes.io/component=agent-mirror'

/** Ours as it stands, or as `ballast manifests` names it. */
export const ownNodeSet = (ours: OwnMirror | undefined): Pick<NodeSet, 'namespace' | 'name' | 'selector'> =>
  ours?.mirror ?? { namespace: agentNamespace, name: ownName, selector: ownSelector }

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

export function patch(kind: string, { namespace, name }: Pick<NodeSet, 'namespace' | 'name'>, body: object): string {
  return `kubectl -n ${namespace} patch ${kind} ${name} --type=merge -p ${quoted(JSON.stringify(body))}`
}

const withoutRestart = { type: 'OnDelete', rollingUpdate: null }
const required = 'requiredDuringSchedulingIgnoredDuringExecution'

/** Spegel stays where it is and leaves nodes that are marked; its pods are not restarted for it. */
export function pinUpstream(spegel: SpegelState): string {
  const terms = valueAt(pinned(affinityOf(spegel)), ['nodeAffinity', required])
  const affinity = { nodeAffinity: { [required]: terms } }
  return patch('daemonset', spegel, { spec: { updateStrategy: withoutRestart, template: { spec: { affinity } } } })
}

/** As it was before `pinUpstream`. A merge patch leaves what it does not name: what is to go is named with null. */
export function unpinUpstream(spegel: SpegelState): string {
  const before = unpinned(affinityOf(spegel))
  const nodes = valueAt(before, ['nodeAffinity'])
  const nodeAffinity = nodes === undefined ? null : { [required]: valueAt(nodes, [required]) ?? null }
  const affinity = Object.keys(before).length === 0 ? null : { nodeAffinity }
  // How it was renewed before is not known any more once it was changed.
  const updateStrategy = isPinned(affinityOf(spegel)) ? { type: 'RollingUpdate' } : strategyOf(spegel)
  return patch('daemonset', spegel, { spec: { updateStrategy, template: { spec: { affinity } } } })
}

/** Ours stays where it is and leaves nodes that are marked otherwise. */
export function pinOurs(mirror: Pick<NodeSet, 'namespace' | 'name'>): string {
  const spec = { updateStrategy: withoutRestart, template: { spec: { nodeSelector: { [swapLabel]: 'ballast' } } } }
  return patch('daemonset', mirror, { spec })
}

/** Every node with a pod of it. */
export function mark({ namespace, selector }: Pick<NodeSet, 'namespace' | 'selector'>, as: 'spegel' | 'ballast'): string {
  return `kubectl label nodes --overwrite $(kubectl -n ${namespace} get pods -l ${selector} -o jsonpath='{.items[*].spec.nodeName}') ${swapLabel}=${as}`
}

export const unmark = `kubectl label nodes --all ${swapLabel}-`

type Side = Pick<NodeSet, 'namespace' | 'selector'> & { readonly mark: 'spegel' | 'ballast' }

/**
 * Node by node: what is there goes, then the other comes; never both. It stops at the first node on which that fails, and begun anew it
 * goes on with those that are left.
 */
export function nodeByNode(from: Side, to: Side): string {
  const onNode = '--field-selector spec.nodeName="$node"'
  const marked = (as: string) => `kubectl label node "$node" --overwrite ${swapLabel}=${as}`
  const pods = `kubectl -n ${to.namespace} get pods -l ${to.selector} ${onNode} -o name`
  return [
    `for node in $(kubectl get nodes -l '${swapLabel} in (${from.mark},none)' -o jsonpath='{.items[*].metadata.name}'); do ${marked('none')}`,
    `kubectl -n ${from.namespace} wait pods -l ${from.selector} ${onNode} --for=delete --timeout=120s`,
    marked(to.mark),
    `for try in $(seq 60); do ${pods} | grep -q . && break; sleep 2; done`,
    `kubectl -n ${to.namespace} wait pods -l ${to.selector} ${onNode} --for=condition=Ready --timeout=300s || break; done`,
  ].join(' && ')
}

/** What Spegel is made of, for the way back and for its removal without Helm's hooks. */
export function keep({ owner, namespace, name }: SpegelState): string {
  if (owner?.by === 'helm')
    return `helm -n ${owner.namespace} get values ${owner.name} -o yaml > ${upstreamValuesFile} && helm -n ${owner.namespace} get manifest ${owner.name} > ${upstreamObjectsFile}`
  return `kubectl -n ${namespace} get daemonset ${name} -o yaml > ${upstreamObjectsFile}`
}

export function convert({ owner, version }: SpegelState): string {
  const from = `--from spegel${version === undefined ? '' : `@${version}`}`
  switch (owner?.by) {
    case 'helm':
      return `ballast migrate values ${from} ${upstreamValuesFile} -o ${valuesFile}`
    case 'flux-helm':
      return `kubectl -n ${owner.namespace} get helmrelease ${owner.name} -o yaml | ballast migrate values --from spegel - -o ${valuesFile}`
    case 'argo':
      return `kubectl ${owner.namespace === '' ? '' : `-n ${owner.namespace} `}get application ${owner.name} -o yaml | ballast migrate values --from spegel - -o ${valuesFile}`
    case 'flux':
    case undefined:
      return `ballast migrate plan spegel -o json | jq .values > ${valuesFile}`
  }
}

/** What has to be done before `install` where Ballast is there without Helm: its other settings would be taken back. */
export const mergedFirst = (ours: OwnMirror | undefined): string =>
  ours === undefined || ours.owner?.by === 'helm'
    ? ''
    : `. First put the keys of the values that Ballast was installed with into ${valuesFile}, too`

/** Our installation with these values; `set` as Helm's `--set`. */
export function install(ours: OwnMirror | undefined, set: readonly string[] = []): string {
  const sets = set.map(one => ` --set ${quoted(one)}`).join('')
  if (ours?.owner?.by === 'helm')
    return `helm -n ${ours.owner.namespace} upgrade ${ours.owner.name} build/ballast-${programVersion}.tgz --reuse-values -f ${valuesFile}${sets}`
  const where = ours === undefined ? '' : ` -n ${ours.namespace} --release ${ours.release}`
  return `ballast manifests${where} -f ${valuesFile}${sets} | kubectl apply --server-side -f -`
}

/** For `--set`: ours only on nodes whose turn has come; `null` takes it away from values that Helm kept. */
export const onlyMarked = (isOn: boolean): string =>
  `mirror.nodeSelector.${swapLabel.replaceAll('.', '\\.')}=${isOn ? 'ballast' : 'null'}`
