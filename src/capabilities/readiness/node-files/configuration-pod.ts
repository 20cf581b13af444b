// The pod that writes files to a node by an image that the node has. What is written comes as environment variables and is never part of the
// script. Pure.
import type { NodeFile, NodeFileSet } from '#coordination/ports/node-files.ts'
import { hashedName } from '#kube/objects/names.ts'
import type { Pod } from '#kube/objects/objects.ts'
import { mirrorConfigAnnotation } from '../names.ts'

export const configurationLabel = 'ballast.dev/node-configuration'
/** What is written to it: read back, whatever becomes of the files meanwhile. */
export const wantedAnnotation = mirrorConfigAnnotation
const deadlineSeconds = 60

/** Environment variables as a kubelet leaves them: it takes `$$` for `$`, and `$(NAME)` for another variable. */
function literal(text: string): string {
  return text.replaceAll('$', '$$$$')
}

/** The script for so many files; nothing of them is in it. Needs `mkdir`, `mv`, and `chmod` where a mode is not 644. */
function configurationScript(files: number): string {
  return [
    'set -eu',
    'umask 022',
    'put() {',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
    '  mkdir -p "${1%/*}"',
    '  printf %s "$3" > "$1.ballast-tmp"',
    '  if [ "$2" != 644 ]; then chmod "$2" "$1.ballast-tmp"; fi',
    '  mv -f "$1.ballast-tmp" "$1"',
    '}',
    ...Array.from({ length: files }, (_, at) => `put "$FILE_${at}_PATH" "$FILE_${at}_MODE" "$FILE_${at}_CONTENT"`),
  ].join('\n')
}

/** The name of a node's pod. */
export function configurationPodName(node: string): string {
  return hashedName(`ballast-node-config-${node}`, node, 63)
}

interface PodOrder {
  readonly node: { readonly name: string }
  readonly image: string
  readonly pull: 'Never' | 'IfNotPresent'
  readonly set: NodeFileSet
  readonly directories: readonly string[]
  /** Where pods with paths of the node may run. */
  readonly namespace: string
}

/** The pod. It has no owner: one that a node owned would be taken for a static one. It has no token and no capability; as root it writes what root owns. */
export function configurationPod({ node, image, pull, set, directories, namespace }: PodOrder): Pod {
  const mounts = directories.map((path, at) => ({ name: `directory-${at}`, path }))
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: configurationPodName(node.name),
      namespace,
      labels: { [configurationLabel]: 'true', 'ballast.dev/managed': 'true', 'ballast.dev/capability': 'readiness' },
      annotations: { [wantedAnnotation]: set.digest },
    },
    spec: {
      nodeName: node.name,
      restartPolicy: 'Never',
      activeDeadlineSeconds: deadlineSeconds,
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      priorityClassName: 'system-node-critical',
      tolerations: [{ operator: 'Exists' }],
      // A new node may have no pod network yet.
      hostNetwork: true,
      containers: [
        {
          name: 'write',
          image,
          imagePullPolicy: pull,
          command: ['/bin/sh', '-c', configurationScript(set.files.length)],
          env: set.files.flatMap(variables),
          resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
          securityContext: {
            runAsUser: 0,
            runAsGroup: 0,
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          volumeMounts: mounts.map(({ name, path }) => ({ name, mountPath: path })),
        },
      ],
      volumes: mounts.map(({ name, path }) => ({ name, hostPath: { path, type: 'DirectoryOrCreate' } })),
    },
  }
}

function variables({ path, mode, content }: NodeFile, at: number): readonly object[] {
  return [
    { name: `FILE_${at}_PATH`, value: literal(path) },
    { name: `FILE_${at}_MODE`, value: mode.toString(8) },
    { name: `FILE_${at}_CONTENT`, value: literal(content) },
  ]
}

export type PodEnd =
  | { readonly kind: 'running' }
  | { readonly kind: 'written'; readonly digest: string }
  /** The image cannot do it: the next one may. */
  | { readonly kind: 'unsuitable'; readonly image: string; readonly why: string }
  | { readonly kind: 'failed'; readonly why: string }

const startReasons: ReadonlySet<string> = new Set([
  'StartError',
  'RunContainerError',
  'ContainerCannotRun',
  'CreateContainerError',
  'ErrImageNeverPull',
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
])

/** What became of a pod of ours. */
export function endOf(pod: Pod): PodEnd {
  const { phase, containerStatuses, reason, message } = pod.status ?? {}
  const image = pod.spec.containers[0]?.image ?? ''
  const { waiting, terminated } = containerStatuses?.[0]?.state ?? {}
  if (phase === 'Succeeded') return { kind: 'written', digest: pod.metadata.annotations?.[wantedAnnotation] ?? '' }
  if (waiting?.reason !== undefined && startReasons.has(waiting.reason)) return { kind: 'unsuitable', image, why: waiting.reason }
  if (phase !== 'Failed') return { kind: 'running' }
  const { exitCode } = terminated ?? {}
  const cannotStart = startReasons.has(terminated?.reason ?? '') || exitCode === 126 || exitCode === 127
  if (cannotStart) return { kind: 'unsuitable', image, why: terminated?.reason ?? `exit code ${exitCode}` }
  return { kind: 'failed', why: exitCode === undefined ? (message ?? reason ?? 'it failed') : `exit code ${exitCode}` }
}
