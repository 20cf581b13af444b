// What Helm runs before it deletes a release with mirrors: on each node containerd gets back the hosts files that it had. A DaemonSet does it, and
// a Job waits until all have.
import type { Capability } from '#coordination/capability.ts'
import { evaluate } from '#deployment/evaluate.ts'
import type { Release, Values } from '#deployment/names.ts'
import { agentNamespace, nodeEnvironment, podOnNode } from '#deployment/objects/agent-objects.ts'
import { runsOnNodes } from '#deployment/objects/agent-roles.ts'
import { fullName, metadataOf, nameText, selectorLabels } from '#deployment/objects/object-shapes.ts'
import { all, block, type Fields, named, type ObjectTree, text, value } from '#deployment/tree.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { writesHosts } from './mirror-objects.ts'

const component = 'mirror-cleanup'
const name = fullName('-mirror-cleanup')
const selector = selectorLabels(component)
const directory = 'capabilities.mirror.containerdRegistryConfigPath'
const port = 'mirror.cleanup.port'

function hook(weight: number): Fields {
  return metadataOf({
    name,
    namespace: agentNamespace,
    component,
    annotations: {
      'helm.sh/hook': 'pre-delete',
      'helm.sh/hook-weight': String(weight),
      'helm.sh/hook-delete-policy': 'before-hook-creation,hook-succeeded,hook-failed',
    },
  })
}

/** None where no capability is a mirror. */
export function cleanupTrees(capabilities: readonly Capability[]): readonly ObjectTree[] {
  const runs = runsOnNodes(capabilities, 'agent-mirror')
  if (runs === undefined) return []
  const isWanted = all(runs, writesHosts, { on: 'mirror.cleanup.enabled' })
  return [service(), daemonSet(), job()].map(tree => ({ file: 'agents/mirror-cleanup.yaml', when: isWanted, tree }))
}

/** The same for whoever has no Helm and no mirror any more: applied by hand, looked at, deleted by hand. */
export function cleanupObjects(
  values: Values,
  { capabilities, release }: { readonly capabilities: readonly Capability[]; readonly release: Release },
): readonly KubeObject[] {
  const made = cleanupTrees(capabilities).flatMap(tree => evaluate(tree, { values, release }))
  return (made as readonly KubeObject[]).map(object => {
    const { annotations = {}, ...metadata } = object.metadata
    const kept = Object.fromEntries(Object.entries(annotations).filter(([key]) => !key.startsWith('helm.sh/')))
    const plain = { ...object, metadata: Object.keys(kept).length === 0 ? metadata : { ...metadata, annotations: kept } }
    return object.kind === 'Service' ? plain : withoutAccount(plain)
  })
}

/** The mirror's own is gone with it; no right is needed. */
function withoutAccount(object: KubeObject): KubeObject {
  const spec = Object(object['spec'])
  const { serviceAccountName: _name, ...pod } = Object(spec.template.spec)
  return { ...object, spec: { ...spec, template: { ...spec.template, spec: pod } } }
}

function service(): Fields {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: hook(-10),
    spec: {
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector,
      ports: [{ name: 'readyz', port: value(port), targetPort: value(port), protocol: 'TCP' }],
    },
  }
}

const image: Fields = { image: nameText('image'), imagePullPolicy: value('image.pullPolicy') }

function daemonSet(): Fields {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: hook(-9),
    spec: {
      selector: { matchLabels: selector },
      template: {
        metadata: { labels: selector },
        spec: {
          serviceAccountName: nameText('mirrorAccount'),
          hostNetwork: true,
          ...podOnNode('mirror'),
          containers: [
            {
              name: 'cleanup',
              ...image,
              args: [
                'spegel',
                'cleanup',
                text('--addr=:', { value: port }),
                text('--containerd-registry-config-path=', { value: directory }),
              ],
              env: nodeEnvironment,
              readinessProbe: { httpGet: { path: '/readyz', port: value(port) }, periodSeconds: 2 },
              resources: block('mirror.resources'),
              securityContext: block('mirror.securityContext'),
              volumeMounts: [{ name: 'registry-config', mountPath: value(directory) }],
            },
          ],
          volumes: [{ name: 'registry-config', hostPath: { path: value(directory), type: 'DirectoryOrCreate' } }],
        },
      },
    },
  }
}

/** Until every address of the Service answers; as the nodes' own mirrors, it needs no right. */
function job(): Fields {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: hook(-8),
    spec: {
      backoffLimit: 1,
      activeDeadlineSeconds: value('uninstallHook.timeoutSeconds'),
      template: {
        metadata: { labels: selectorLabels('mirror-cleanup-wait') },
        spec: {
          restartPolicy: 'Never',
          serviceAccountName: nameText('mirrorAccount'),
          ...podOnNode('mirror'),
          containers: [
            {
              name: 'wait',
              ...image,
              args: [
                'spegel',
                'cleanup-wait',
                text('--probe-endpoint=', named('fullname'), '-mirror-cleanup.', named('agentNamespace'), '.svc:', {
                  value: port,
                }),
              ],
              resources: block('controller.resources'),
              securityContext: block('controller.securityContext'),
            },
          ],
        },
      },
    },
  }
}
