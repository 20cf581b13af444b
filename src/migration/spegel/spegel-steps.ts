// Spegel to Ballast: the commands of a swap for one cluster, in order, for a person to run. Never are both on one node: they have one port.

import { listAt } from '#kube/objects/object-fields.ts'
import { shownOwner } from '#upstreams/gitops-owner.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { ownerIsLive } from '../owner-words.ts'
import { no, type Proof, type Step, StepFailed, yes } from '../step.ts'
import {
  convert,
  install,
  keep,
  mark,
  mergedFirst,
  nodeByNode,
  onlyMarked,
  ownNodeSet,
  patch,
  pinUpstream,
  unmark,
  unpinUpstream,
  upstreamObjectsFile,
} from './spegel-commands.ts'
import { isHeldBack, type MirrorSituation, type OwnMirror, type SpegelState } from './spegel-situation.ts'

/** A step that a person carries out. */
export interface PrintedStep extends Pick<Step, 'id' | 'title' | 'command' | 'proof' | 'undo'> {
  readonly now?: Proof
}

export const shownSet = ({ namespace, name }: Pick<SpegelState, 'namespace' | 'name'>): string => `${namespace}/${name}`

/** The one that is there. @throws StepFailed where there is none, or several */
export function theSpegel({ spegels }: MirrorSituation): SpegelState {
  const [one, ...more] = spegels
  if (one === undefined) throw new StepFailed('no Spegel is installed here')
  if (more.length > 0)
    throw new StepFailed(`${spegels.length} Spegels are installed (${spegels.map(shownSet).join(', ')}): remove all but one`)
  return one
}

/** @throws StepFailed where there is no Spegel, or several */
export function mirrorStepsForth(situation: MirrorSituation, allowLossy: boolean): readonly PrintedStep[] {
  const { ours } = situation
  if (situation.spegels.length === 0 && isHeldBack(ours?.mirror)) return ended(ours)
  const spegel = theSpegel(situation)
  const own = ownNodeSet(ours)
  const [port = 0] = spegel.ports
  const sides = [
    { ...spegel, mark: 'spegel' },
    { ...own, mark: 'ballast' },
  ] as const
  return [
    {
      id: 'check',
      title: `look at DaemonSet ${shownSet(spegel)} and who owns it`,
      command: 'ballast doctor',
      proof: 'one Spegel, nothing brings it back, Ballast may be configured here',
      undo: '-',
      now: checked(spegel, situation),
    },
    {
      id: 'keep',
      title: 'write down what Spegel is made of, for the way back',
      command: keep(spegel),
      proof: `grep -c 'kind: DaemonSet' ${upstreamObjectsFile} says 1`,
      undo: '-',
    },
    {
      id: 'convert',
      title: 'convert its values; the ports stay those that hosts files and user data name',
      command: convert(spegel),
      proof: 'every key has its place (exit 0)',
      undo: '-',
      now: converted(spegel, allowLossy),
    },
    {
      id: 'pin',
      title: 'have Spegel leave nodes that are marked for ours; its pods are not restarted for it',
      command: pinUpstream(spegel),
      proof: `kubectl -n ${spegel.namespace} get pods -l ${spegel.selector}: all there, none younger than before`,
      undo: unpinUpstream(spegel),
    },
    {
      id: 'install',
      title: `install Ballast with the mirror on the same ${spegel.ports.length === 1 ? 'port' : 'ports'} (${spegel.ports.join(', ')}), on no node yet${mergedFirst(ours)}`,
      command: install(ours, [onlyMarked(true)]),
      proof: `the controller is ready; kubectl -n ${own.namespace} get daemonset ${own.name}: 0 desired`,
      undo: ours === undefined ? 'ballast uninstall' : `kubectl -n ${own.namespace} delete daemonset ${own.name}`,
    },
    ...spegel.inTheWay.map(freed),
    {
      id: 'mark',
      title: 'mark every node that Spegel is on',
      command: mark(spegel, 'spegel'),
      proof: `kubectl get nodes -L ballast.dev/mirror-swap: spegel on each`,
      undo: unmark,
    },
    {
      id: 'switch',
      title: `node by node: Spegel's pod goes, ours comes. Hosts files stay valid, they name the node's own address and port ${port}; a pull in between goes to its registry. Killed, it goes on with the nodes that are left`,
      command: nodeByNode(...sides),
      proof: `kubectl -n ${spegel.namespace} get pods -l ${spegel.selector}: none left (a node that joined meanwhile has one: repeat the step before and this one); kubectl -n ${own.namespace} get pods -l ${own.selector}: Ready on each node`,
      undo: nodeByNode(sides[1], sides[0]),
    },
    {
      id: 'remove',
      title: "orphan and delete Spegel's objects. No helm uninstall: its hook deletes all hosts files but _backup, ours too",
      command: removal(spegel),
      proof: `kubectl -n ${spegel.namespace} get daemonset ${spegel.name}: NotFound; the hosts files and _backup on the nodes are as before`,
      undo: 'ballast migrate plan spegel --back',
    },
    ...ended(ours),
  ]
}

/** What is left when Spegel is gone. */
export function ended(ours: OwnMirror | undefined): readonly PrintedStep[] {
  const own = ownNodeSet(ours)
  return [
    {
      id: 'open',
      title: 'let ours onto every node, those that join too, and take the marks away; its pods are renewed one by one',
      command: `${install(ours, ours?.owner?.by === 'helm' ? [onlyMarked(false)] : [])} && kubectl -n ${own.namespace} rollout status daemonset ${own.name} && ${unmark}`,
      proof: `kubectl -n ${own.namespace} get daemonset ${own.name}: as many ready as nodes`,
      undo: 'ballast migrate plan spegel --back',
    },
    {
      id: 'doctor',
      title: 'look once more',
      command: 'ballast doctor',
      proof: 'no finding upstream-present or double-duty for mirror',
      undo: '-',
    },
  ]
}

/** With a live owner nothing is begun: it would put Spegel back beside ours. */
function checked(spegel: SpegelState, { ours }: MirrorSituation): Proof {
  const live = ownerIsLive(spegel, 'switch', 'DaemonSet')
  if (live !== undefined) return no(live)
  const owner = ours?.owner
  if (owner !== undefined && owner.by !== 'helm')
    return no(
      `ours is reconciled by ${shownOwner(owner)}: what is written here would be undone. Commit the converted values there instead, or suspend it meanwhile`,
    )
  const version = spegel.version === undefined ? '' : ` (chart ${spegel.version})`
  return yes(
    `${shownSet(spegel)}${version} on ${spegel.nodes} ${spegel.nodes === 1 ? 'node' : 'nodes'}; ${ours === undefined ? 'Ballast is not installed yet' : `Ballast is in ${ours.namespace}`}`,
  )
}

/** What is carried and what is not, of the flags that it runs with. */
function converted({ converted: { report } }: SpegelState, allowLossy: boolean): Proof {
  const shown = (kinds: readonly string[]) => report.filter(({ kind }) => kinds.includes(kind))
  const lost = shown(['lost', 'unknown', 'changed'])
  const carried = shown(['carried']).map(({ from, to = '' }) => `${from} -> ${to}`)
  const dropped = shown(['dropped']).map(({ from }) => from)
  const said = [
    `of the flags that it runs with ${carried.length} carried (${carried.join(', ')})`,
    ...(dropped.length === 0 ? [] : [`${dropped.length} dropped without loss (${dropped.join(', ')})`]),
    lost.length === 0 ? 'none lost' : `${lost.length} lost: ${lost.map(({ from, why = '' }) => `${from} (${why})`).join('; ')}`,
  ].join('; ')
  return lost.length === 0 || allowLossy ? yes(said) : no(`${said}; --allow-lossy goes on without them`)
}

/** Whoever asks a node at a Service's node port is led to Spegel's pods, or refused: ours would never hear of it. */
function freed(service: SpegelState['inTheWay'][number]): PrintedStep {
  const { namespace = 'default', name } = service.metadata
  const place = { namespace, name }
  const ports = listAt(service, 'spec', 'ports')
  const policy = valueAt(service['spec'], ['externalTrafficPolicy'])
  const before = { type: 'NodePort', ports, ...(policy === undefined ? {} : { externalTrafficPolicy: policy }) }
  return {
    id: 'free',
    title: `free the node port, which ours binds itself: from here until a node's own turn its pulls go to their registries`,
    command: patch('service', place, { spec: { type: 'ClusterIP', externalTrafficPolicy: null } }),
    proof: `kubectl -n ${namespace} get service ${name}: ClusterIP, no node port`,
    undo: patch('service', place, { spec: before }),
  }
}

function removal({ owner, namespace, name, selector }: SpegelState): string {
  const objects = `kubectl -n ${namespace} delete daemonset,service,serviceaccount -l ${selector
    .split(',')
    .filter(pair => !pair.startsWith('app.kubernetes.io/component='))
    .join(',')}`
  switch (owner?.by) {
    case 'helm':
      return `kubectl -n ${owner.namespace} delete secret -l owner=helm,name=${owner.name} && kubectl -n ${namespace} delete --ignore-not-found -f ${upstreamObjectsFile}`
    case 'flux-helm':
      return `# commit: delete the suspended ${shownOwner(owner)} (which uninstalls nothing), wait until it is gone, then: kubectl -n ${owner.namespace} delete secret -l owner=helm,name=${owner.name}; ${objects}`
    case 'flux':
      return `# commit: take ${namespace}/${name} out of ${shownOwner(owner)} while it is suspended, then: ${objects}`
    case 'argo':
      return `kubectl delete application ${owner.name} --cascade=orphan; ${objects}`
    case undefined:
      return objects
  }
}
