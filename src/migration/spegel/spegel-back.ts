// Ballast back to Spegel: the same swap with roles changed. Ballast stays installed, for what else it does.

import { ballastVersion } from '#deployment/names.ts'
import { shownOwner } from '#upstreams/gitops-owner.ts'
import { isPinned, pinned } from '../mirror-pin.ts'
import { no, type Proof, StepFailed, yes } from '../step.ts'
import {
  mark,
  nodeByNode,
  pinOurs,
  pinUpstream,
  unmark,
  unpinUpstream,
  upstreamObjectsFile,
  upstreamValuesFile,
  valuesFile,
} from './spegel-commands.ts'
import { affinityOf, type MirrorSituation, type NodeSet, type OwnMirror, type SpegelState } from './spegel-situation.ts'
import { type PrintedStep, shownSet } from './spegel-steps.ts'

/** As its chart calls it, where it is gone. */
const asInstalled = {
  namespace: 'spegel',
  name: 'spegel',
  selector: 'app.kubernetes.io/name=spegel,app.kubernetes.io/component=spegel',
} as const
const upstreamChart = 'oci://ghcr.io/spegel-org/helm-charts/spegel'

/** @throws StepFailed where our mirror is not there, or several Spegels are */
export function mirrorStepsBack({ spegels, ours }: MirrorSituation): readonly PrintedStep[] {
  const mirror = ours?.mirror
  if (mirror === undefined && spegels.length === 1 && spegels.every(one => isPinned(affinityOf(one))))
    return endedBack(spegels[0])
  if (ours === undefined || mirror === undefined)
    throw new StepFailed("Ballast's mirror is not installed here: nothing to go back from")
  if (spegels.length > 1)
    throw new StepFailed(`${spegels.length} Spegels are installed (${spegels.map(shownSet).join(', ')}): remove all but one`)
  const [spegel] = spegels
  const theirs = spegel ?? asInstalled
  const sides = [
    { ...mirror, mark: 'ballast' },
    { ...theirs, mark: 'spegel' },
  ] as const
  return [
    {
      id: 'check',
      title: 'look at what mirrors now',
      command: 'ballast doctor',
      proof: "Ballast's mirror is here and nothing brings it back",
      undo: '-',
      now: free(ours, mirror, spegel),
    },
    {
      id: 'mark',
      title: 'mark every node that ours is on',
      command: mark(mirror, 'ballast'),
      proof: 'kubectl get nodes -L ballast.dev/mirror-swap: ballast on each',
      undo: unmark,
    },
    {
      id: 'pin',
      title: 'have ours leave nodes that are marked otherwise; its pods are not restarted for it',
      command: pinOurs(mirror),
      proof: `kubectl -n ${mirror.namespace} get pods -l ${mirror.selector}: all there, none younger than before`,
      undo: 'ballast migrate plan spegel   # its last steps',
    },
    {
      id: 'restore',
      title: `have Spegel again, on no marked node${spegel === undefined ? `. Names are those of its chart: change them to yours; of plain manifests apply ${upstreamObjectsFile} with the same affinity in its DaemonSet` : ''}`,
      command: spegel === undefined ? reinstalled() : pinUpstream(spegel),
      proof: `kubectl -n ${theirs.namespace} get pods -l ${theirs.selector}: none on a node that is marked ballast`,
      undo: spegel === undefined ? 'ballast migrate plan spegel   # step remove; no helm uninstall' : '-',
    },
    {
      id: 'switch',
      title:
        "node by node: our pod goes, Spegel's comes and writes its hosts files; _backup stays what it was. A pull in between goes to its registry. Killed, it goes on with the nodes that are left",
      command: nodeByNode(...sides),
      proof: `kubectl -n ${mirror.namespace} get pods -l ${mirror.selector}: none left; kubectl -n ${theirs.namespace} get pods -l ${theirs.selector}: Ready on each node`,
      undo: nodeByNode(sides[1], sides[0]),
    },
    {
      id: 'off',
      title:
        'switch our mirror off, before anything of Ballast is uninstalled: its cleanup would put back the hosts files from before either mirror',
      command: switchedOff(ours, mirror),
      proof: `kubectl -n ${mirror.namespace} get daemonset ${mirror.name}: NotFound; the hosts files on the nodes are Spegel's`,
      undo: 'ballast migrate plan spegel',
    },
    ...endedBack(spegel),
  ]
}

/** What is left when ours is gone. */
export function endedBack(spegel: SpegelState | undefined): readonly PrintedStep[] {
  const theirs = spegel ?? asInstalled
  return [
    {
      id: 'open',
      title: 'take the marks away, then what kept Spegel off marked nodes',
      command: `${unmark} && ${spegel === undefined ? upgraded() : unpinUpstream(spegel)}`,
      proof: `kubectl -n ${theirs.namespace} get daemonset ${theirs.name}: as many ready as nodes`,
      undo: '-',
    },
    {
      id: 'doctor',
      title: 'look once more',
      command: 'ballast doctor',
      proof: 'upstream-present names Spegel, no double-duty for mirror',
      undo: '-',
    },
  ]
}

function free(ours: OwnMirror, mirror: NodeSet, spegel: SpegelState | undefined): Proof {
  const { owner } = ours
  if (owner !== undefined && owner.by !== 'helm')
    return no(`ours is reconciled by ${shownOwner(owner)}: suspend it first, or what is written here is undone`)
  if (spegel !== undefined && !spegel.isOwnerQuiet && spegel.owner !== undefined)
    return no(`Spegel is reconciled by ${shownOwner(spegel.owner)}: suspend it first, or what keeps it off nodes is undone`)
  return yes(
    `${shownSet(mirror)} on ${mirror.nodes} ${mirror.nodes === 1 ? 'node' : 'nodes'}; ${spegel === undefined ? 'Spegel is gone' : `${shownSet(spegel)} is there`}`,
  )
}

const release = `${asInstalled.name} ${upstreamChart} -n ${asInstalled.namespace} -f ${upstreamValuesFile}`

const reinstalled = (): string =>
  `helm install ${release} --create-namespace --version <as before> --set-json 'affinity=${JSON.stringify(pinned({}))}'`

const upgraded = (): string => `helm upgrade ${release} --version <as before>`

/** How it is switched off where it is installed so. */
export function switchedOff({ owner, namespace, release: name }: OwnMirror, mirror: NodeSet): string {
  if (owner?.by === 'helm')
    return `helm -n ${owner.namespace} upgrade ${owner.name} build/ballast-${ballastVersion}.tgz --reuse-values --set capabilities.mirror.enabled=false`
  return `ballast manifests -n ${namespace} --release ${name} -f ${valuesFile} --disable mirror | kubectl apply --server-side -f - && kubectl -n ${mirror.namespace} delete daemonset,service ${mirror.name}`
}
