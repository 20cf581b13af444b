// The commands of which the plan of a swap node by node consists, as a shell takes them. Pure.

import { textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { programVersion } from '#kube/version.ts'
import { shownOwner } from '#upstreams/gitops-owner.ts'
import type { NodePart } from '#upstreams/upstream.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { isPinned, ownMark, pinned, unpinned } from './node-pin.ts'
import type { Side } from './node-turns.ts'
import type { Loop, Ours, Theirs } from './place.ts'
import type { Swap } from './step.ts'

type Named = Pick<Loop, 'namespace' | 'name'>

export const valuesFile = 'ballast-values.yaml'
const upstreamValues = ({ upstream }: Swap) => `${upstream.replaced.id}-values.yaml`
export const upstreamObjects = ({ upstream }: Pick<Swap, 'upstream'>): string => `${upstream.replaced.id}-objects.yaml`

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

export function patch(kind: string, { namespace, name }: Named, body: object): string {
  return `kubectl -n ${namespace} patch ${kind} ${name} --type=merge -p ${quoted(JSON.stringify(body))}`
}

/** Pods stay as they are until a node's turn. */
export const withoutRestart = { type: 'OnDelete', rollingUpdate: null }
const required = 'requiredDuringSchedulingIgnoredDuringExecution'

export const affinityOf = ({ workload }: Pick<Loop, 'workload'>): unknown =>
  valueAt(workload, ['spec', 'template', 'spec', 'affinity'])

/** Upstream stays where it is and leaves nodes that are marked; its pods are not restarted for it. */
export function pinTheirs(theirs: Theirs, { label }: NodePart): string {
  const terms = valueAt(pinned(affinityOf(theirs), label), ['nodeAffinity', required])
  const affinity = { nodeAffinity: { [required]: terms } }
  return patch('daemonset', theirs, { spec: { updateStrategy: withoutRestart, template: { spec: { affinity } } } })
}

/** As it was before `pinTheirs`. A merge patch leaves what it does not name: what is to go is named with null. */
export function unpinTheirs(theirs: Theirs, { label }: NodePart): string {
  const before = unpinned(affinityOf(theirs), label)
  const nodes = valueAt(before, ['nodeAffinity'])
  const nodeAffinity = nodes === undefined ? null : { [required]: valueAt(nodes, [required]) ?? null }
  const affinity = Object.keys(before).length === 0 ? null : { nodeAffinity }
  // How it was renewed before is not known any more once it was changed.
  const updateStrategy = isPinned(affinityOf(theirs), label) ? { type: 'RollingUpdate' } : strategyOf(theirs)
  return patch('daemonset', theirs, { spec: { updateStrategy, template: { spec: { affinity } } } })
}

/** How its pods are renewed, as a patch names it. */
function strategyOf({ workload }: Theirs): object {
  const type = textAt(workload, 'spec', 'updateStrategy', 'type')
  const rollingUpdate = valueAt(workload, ['spec', 'updateStrategy', 'rollingUpdate'])
  return type === 'OnDelete' ? { type } : { type: 'RollingUpdate', ...(rollingUpdate === undefined ? {} : { rollingUpdate }) }
}

/** Ours stays where it is and leaves nodes that are marked otherwise. */
export const pinOurs = (own: Named, part: NodePart): string =>
  patch('daemonset', own, { spec: { updateStrategy: withoutRestart, template: { spec: heldBack(part, ownMark) } } })

/** Ours comes only to nodes whose turn it is; `null` onto every node. */
export const heldBack = ({ label }: NodePart, mark: string | null) => ({ nodeSelector: { [label]: mark } })

/** Every node with a pod of it. */
export const mark = ({ namespace, selector, label, mark: as }: Side): string =>
  `kubectl label nodes --overwrite $(kubectl -n ${namespace} get pods -l ${selector} -o jsonpath='{.items[*].spec.nodeName}') ${label}=${as}`

export const unmark = ({ label }: NodePart): string => `kubectl label nodes --all ${label}-`

/**
 * Node by node: what is there goes, then the other comes; never both. It stops at the first node on which that fails, and begun anew it
 * goes on with those that are left.
 */
export function nodeByNode(from: Side, to: Side): string {
  const { label } = to
  const onNode = '--field-selector spec.nodeName="$node"'
  const marked = (as: string) => `kubectl label node "$node" --overwrite ${label}=${as}`
  const pods = `kubectl -n ${to.namespace} get pods -l ${to.selector} ${onNode} -o name`
  return [
    `for node in $(kubectl get nodes -l '${label} in (${from.mark},none)' -o jsonpath='{.items[*].metadata.name}'); do ${marked('none')}`,
    `kubectl -n ${from.namespace} wait pods -l ${from.selector} ${onNode} --for=delete --timeout=120s`,
    marked(to.mark),
    `for try in $(seq 60); do ${pods} | grep -q . && break; sleep 2; done`,
    `kubectl -n ${to.namespace} wait pods -l ${to.selector} ${onNode} --for=condition=Ready --timeout=300s || break; done`,
  ].join(' && ')
}

/** What upstream is made of, for the way back and for its removal without Helm's hooks. */
export function keep(swap: Swap, { owner, namespace, name }: Theirs): string {
  const file = upstreamObjects(swap)
  if (owner?.by === 'helm')
    return `helm -n ${owner.namespace} get values ${owner.name} -o yaml > ${upstreamValues(swap)} && helm -n ${owner.namespace} get manifest ${owner.name} > ${file}`
  return `kubectl -n ${namespace} get daemonset ${name} -o yaml > ${file}`
}

export function convert(swap: Swap, { owner, workload }: Theirs, { versionOf }: NodePart): string {
  const { id } = swap.upstream.replaced
  const version = versionOf(workload)
  const read = (object: string) => `kubectl ${object} -o yaml | ballast migrate values --from ${id} - -o ${valuesFile}`
  switch (owner?.by) {
    case 'helm':
      return `ballast migrate values --from ${id}${version === undefined ? '' : `@${version}`} ${upstreamValues(swap)} -o ${valuesFile}`
    case 'flux-helm':
      return read(`-n ${owner.namespace} get helmrelease ${owner.name}`)
    case 'argo':
      return read(`${owner.namespace === '' ? '' : `-n ${owner.namespace} `}get application ${owner.name}`)
    case 'flux':
    case undefined:
      return `ballast migrate plan ${id} -o json | jq .values > ${valuesFile}`
  }
}

/** What has to be done before `install` where Ballast is there without Helm: its other settings would be taken back. */
export const mergedFirst = (ours: Ours | undefined): string =>
  ours === undefined || ours.owner?.by === 'helm'
    ? ''
    : `. First put the keys of the values that Ballast was installed with into ${valuesFile}, too`

const upgrade = ({ namespace, name }: Named) =>
  `helm -n ${namespace} upgrade ${name} build/ballast-${programVersion}.tgz --reuse-values`

/** Our installation with these values; `set` as Helm's `--set`. */
export function install(ours: Ours | undefined, set: readonly string[] = []): string {
  const sets = set.map(one => ` --set ${quoted(one)}`).join('')
  if (ours?.owner?.by === 'helm') return `${upgrade(ours.owner)} -f ${valuesFile}${sets}`
  const where = ours === undefined ? '' : ` -n ${ours.namespace} --release ${ours.release}`
  return `ballast manifests${where} -f ${valuesFile}${sets} | kubectl apply --server-side -f -`
}

/** For `--set`: ours only on nodes whose turn has come; `null` takes it away from values that Helm kept. */
export const onlyMarked = ({ label, valuesKey }: NodePart, isOn: boolean): string =>
  `${valuesKey}.nodeSelector.${label.replaceAll('.', '\\.')}=${isOn ? ownMark : 'null'}`

/** How ours is switched off where it is installed so. */
export function switchedOff({ upstream }: Swap, { owner, namespace, release, leader }: Ours, own: Named): string {
  const { capability } = upstream
  const leading = leader === undefined ? '' : ` && kubectl -n ${leader.namespace} delete deployment ${leader.name}`
  if (owner?.by === 'helm') return `${upgrade(owner)} --set capabilities.${capability}.enabled=false`
  return `ballast manifests -n ${namespace} --release ${release} -f ${valuesFile} --disable ${capability} | kubectl apply --server-side -f - && kubectl -n ${own.namespace} delete daemonset,service ${own.name}${leading}`
}

/** The same by the names of what there is: whatever else its release has stays. */
export function removalOf({ owner }: Theirs, objects: readonly KubeObject[]): string {
  const places = Map.groupBy(objects, ({ metadata }) => metadata.namespace ?? '')
  const deletions = Array.from(places, ([place, ones]) => {
    const names = ones.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`)
    return `kubectl${place === '' ? '' : ` -n ${place}`} delete ${names.join(' ')}`
  }).join(' && ')
  if (owner === undefined) return deletions
  const forgotten = `kubectl -n ${owner.namespace} delete secret -l owner=helm,name=${owner.name}`
  if (owner.by === 'helm') return `${forgotten} && ${deletions}`
  if (owner.by === 'flux-helm')
    return `# commit: delete the suspended ${shownOwner(owner)} (which uninstalls nothing), wait until it is gone, then: ${forgotten} && ${deletions}`
  if (owner.by === 'argo') return `kubectl delete application ${owner.name} --cascade=orphan; ${deletions}`
  return `# commit: take these out of ${shownOwner(owner)} while it is suspended, then: ${deletions}`
}

export function removal(swap: Swap, { owner, namespace, name, selector }: Theirs): string {
  const labels = selector.split(',').filter(pair => !pair.startsWith('app.kubernetes.io/component='))
  const objects = `kubectl -n ${namespace} delete daemonset,service,serviceaccount -l ${labels.join(',')}`
  const secrets = (at: Named) => `kubectl -n ${at.namespace} delete secret -l owner=helm,name=${at.name}`
  switch (owner?.by) {
    case 'helm':
      return `${secrets(owner)} && kubectl -n ${namespace} delete --ignore-not-found -f ${upstreamObjects(swap)}`
    case 'flux-helm':
      return `# commit: delete the suspended ${shownOwner(owner)} (which uninstalls nothing), wait until it is gone, then: ${secrets(owner)}; ${objects}`
    case 'flux':
      return `# commit: take ${namespace}/${name} out of ${shownOwner(owner)} while it is suspended, then: ${objects}`
    case 'argo':
      return `kubectl delete application ${owner.name} --cascade=orphan; ${objects}`
    case undefined:
      return objects
  }
}
