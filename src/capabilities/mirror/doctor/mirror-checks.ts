// What keeps the image mirror of a node from being of use: the agents' role `readiness` has written it as a condition of the node. And
// what is installed past it.

import type { CapabilityFindings } from '#doctor/capability-findings.ts'
import { type ClusterFacts, ofKind } from '#doctor/facts.ts'
import { type Finding, findingsOf, kind } from '#doctor/finding.ts'
import { at, listAt, shown, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

const kinds = {
  'mirror-files-edited': kind('info', 'mirror', 'hosts files of ours that others changed, and what is kept aside of theirs'),
  'mirror-unused': kind('warn', 'mirror', "a node's image mirror that does not serve, or that its containerd does not ask"),
}
const finding = findingsOf(kinds)

const condition = 'ballast.dev/MirrorReady'
const fine = 'Serving'

const logs = (node: string) =>
  `kubectl -n ballast-agent logs -l app.kubernetes.io/component=agent-mirror --prefix | grep ${node}; kubectl describe node ${node}`

/** The way out, by reason of the condition; for others the logs. */
const fixes: Readonly<Record<string, (node: string) => string>> = {
  LayersDiscarded: () => 'ballast node-config containerd   # its lines into containerd’s configuration, then restart it',
  ConfigurationMissing: node =>
    `ballast node-config hosts --node-ip <address of ${node}> --output-dir / --check   # on the node; and: ballast node-config containerd`,
}

const edited = 'HostsFilesEdited'

/** Nothing is lost, and somebody has to say what is to be: both versions are on the node. */
function editedFinding(node: KubeObject, message: string): Finding {
  return finding('mirror-files-edited', {
    object: shown(node),
    message: message.replace(/^Endpoint reports ready at \S+, but: /, ''),
    fix: `kubectl debug node/${node.metadata.name} -it --image=busybox -- sh -c 'cd /host/etc/containerd/certs.d && for kept in _backup/_kept/*/*/hosts.toml; do diff "$kept" "\${kept#_backup/_kept/*/}"; done'`,
    capability: 'mirror',
  })
}

/** One finding for each node; none where nobody writes the condition. */
export function checkMirrors(facts: ClusterFacts): readonly Finding[] {
  return ofKind(facts, 'Node').flatMap(node => {
    const found = listAt(node, 'status', 'conditions').find(one => textAt(one, 'type') === condition)
    const reason = textAt(found, 'reason') ?? ''
    if (found === undefined || (textAt(found, 'status') === 'True' && reason === fine)) return []
    const { name } = node.metadata
    if (reason === edited) return [editedFinding(node, textAt(found, 'message') ?? '')]
    const isServing = textAt(found, 'status') === 'True'
    return [
      finding('mirror-unused', {
        object: shown(node),
        message: `${isServing ? 'its mirror serves and is of little use to it' : 'its mirror does not serve'} (${reason}): ${textAt(found, 'message') ?? ''}`,
        fix: (fixes[reason] ?? logs)(name),
        capability: 'mirror',
      }),
    ]
  })
}

export const mirrorFindings: CapabilityFindings = {
  kinds,
  cluster: checkMirrors,
  first: {
    isIt: ({ chart, values }) =>
      chart.split('/').at(-1) === 'spegel' || values.some(one => at(one, 'capabilities', 'mirror', 'enabled') === true),
    told: late => `the image mirror is not before ${late}: their images are pulled past it`,
  },
}
