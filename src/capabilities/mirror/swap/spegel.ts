// Spegel, whose place the agents' role `mirror` takes: both bind the same port of the node.
import { listAt, templateOf } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isNamedAfter, none, type Upstream } from '#upstreams/upstream.ts'
import { convertSpegel, spegelRows, spegelVersions } from './spegel-rows.ts'
import { spegelValues } from './spegel-values.ts'

const id = 'spegel'

export const spegel: Upstream = {
  ...none,
  name: 'Spegel',
  capability: 'mirror',
  workloads: [/^spegel$/, /-spegel$/],
  names: [id],
  images: ['spegel-org/spegel'],
  removedKeys: [{ chart: id, path: 'service.registry.hostPort', since: '0.7.5', now: 'the port is service.registry.nodePort' }],
  beside: workload =>
    writesHostsFiles(workload)
      ? "both write containerd's hosts files, and its uninstall deletes all of them but its backup (take spegel.containerdMirrorAdd away first)"
      : undefined,
  replaced: {
    id,
    versions: spegelVersions,
    rows: spegelRows(undefined),
    convert: convertSpegel,
    convertWorkload: (workload, { namespace }) => convertSpegel({ ...spegelValues(workload), namespace }),
    plainKinds: [],
    swap: {
      part: {
        kind: 'nodes',
        component: 'agent-mirror',
        valuesKey: 'mirror',
        label: 'ballast.dev/mirror-swap',
        ports: values => listAt(values, 'capabilities', 'mirror', 'ports').map(Number),
        isUnreadyAlone: true,
        versionOf: workload => spegelValues({ ...workload }).version,
        selector: 'app.kubernetes.io/name=spegel,app.kubernetes.io/component=spegel',
        notes: {
          convert: 'the ports stay those that hosts files and user data name',
          free: "from here until a node's own turn its pulls go to their registries",
          switch: "Hosts files stay valid, they name the node's own address and port; a pull in between goes to its registry",
          remove: 'No helm uninstall: its hook deletes all hosts files but _backup, ours too',
          back: 'It writes its hosts files again; _backup stays what it was. A pull in between goes to its registry',
          off: 'before anything of Ballast is uninstalled: its cleanup would put back the hosts files from before either mirror',
          forget: 'deletes the hosts files of the nodes',
        },
      },
      does: 'mirrors',
      // The one that tidies up after an uninstall.
      isAside: ({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === 'cleanup',
      isPlain: (object, workload) => object.metadata.labels?.['app.kubernetes.io/name'] === id && isNamedAfter(object, workload),
      reinstall: 'helm install spegel oci://ghcr.io/spegel-org/helm-charts/spegel -n spegel -f spegel-values.yaml',
    },
  },
}

/** Has it the init container by which Spegel writes containerd's hosts files? */
function writesHostsFiles(workload: KubeObject): boolean {
  return listAt(templateOf(workload), 'spec', 'initContainers').some(container => {
    const words = [...listAt(container, 'command'), ...listAt(container, 'args')]
    return words.includes('configuration') && words.some(word => String(word).startsWith('--mirror-targets'))
  })
}
