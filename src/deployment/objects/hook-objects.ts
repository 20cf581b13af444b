// What Helm runs before it deletes a release: `ballast uninstall`, with rights that exist only while it runs.
import type { Capability } from '#coordination/capability.ts'
import { installedBy } from '../capability-objects.ts'
import { ownNamespaceRules, removalRules } from '../removal/removal-rights.ts'
import { block, type Fields, type ObjectTree, type Tree, text, value } from '../tree.ts'
import { fullName, metadataOf, nameText } from './object-shapes.ts'
import { tolerationsOf } from './process-objects.ts'

const component = 'uninstall'
const isWanted = { on: 'uninstallHook.enabled' } as const
const file = 'uninstall-hook.yaml'
const name = fullName('-uninstall')
const rbac = 'rbac.authorization.k8s.io/v1'

/** Metadata of an object of the hook; those of lower weight come first. */
function hook(weight: number, scope: 'Cluster' | 'Namespaced'): Fields {
  return metadataOf({
    name,
    ...(scope === 'Cluster' ? { namespace: undefined } : {}),
    component,
    annotations: {
      'helm.sh/hook': 'pre-delete',
      'helm.sh/hook-weight': String(weight),
      'helm.sh/hook-delete-policy': 'before-hook-creation,hook-succeeded,hook-failed',
    },
  })
}

const subjects: readonly Tree[] = [{ kind: 'ServiceAccount', name, namespace: nameText('namespace') }]

const bound = (kind: 'ClusterRole' | 'Role', rules: readonly Tree[]): readonly Fields[] => {
  const scope = kind === 'Role' ? 'Namespaced' : 'Cluster'
  return [
    { apiVersion: rbac, kind, metadata: hook(-10, scope), rules },
    {
      apiVersion: rbac,
      kind: `${kind}Binding`,
      metadata: hook(-9, scope),
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name },
      subjects,
    },
  ]
}

const job: Fields = {
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: hook(0, 'Namespaced'),
  spec: {
    backoffLimit: 1,
    activeDeadlineSeconds: value('uninstallHook.timeoutSeconds'),
    template: {
      spec: {
        restartPolicy: 'Never',
        serviceAccountName: name,
        automountServiceAccountToken: true,
        imagePullSecrets: block('imagePullSecrets'),
        securityContext: block('controller.podSecurityContext'),
        nodeSelector: block('controller.nodeSelector'),
        tolerations: tolerationsOf('controller'),
        containers: [
          {
            name: 'uninstall',
            image: nameText('image'),
            imagePullPolicy: value('image.pullPolicy'),
            args: [
              'uninstall',
              '--yes',
              text('--namespace=', { named: 'namespace' }),
              text('--release=', { named: 'release' }),
              text('--keep=objects,', { joined: 'uninstallHook.keep' }),
              '--never-fail',
            ],
            securityContext: block('controller.securityContext'),
            resources: block('controller.resources'),
          },
        ],
      },
    },
  },
}

/** Only Helm makes these: `ballast manifests` leaves uninstalling to the command. */
export function hookTrees(capabilities: readonly Capability[]): readonly ObjectTree[] {
  const further = installedBy(capabilities).flatMap(({ uninstallRights = [] }) => uninstallRights)
  const trees: readonly Fields[] = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: hook(-10, 'Namespaced'), automountServiceAccountToken: false },
    ...bound('ClusterRole', [...removalRules(capabilities), ...further]),
    ...bound('Role', ownNamespaceRules),
    job,
  ]
  return trees.map(tree => ({ file, when: isWanted, tree }))
}
