// What a pod template refers to: ConfigMaps, Secrets, SecretProviderClasses, claims and images, and by which way each container uses them.
// Pure; a hostile template never stops the reading.
import { type Fields, fieldOf, fieldsIn, isFields, listIn, textIn } from './loose-fields.ts'

export type ReferredKind = 'ConfigMap' | 'Secret' | 'SecretProviderClass' | 'PersistentVolumeClaim' | 'Image'

interface Reference {
  readonly kind: ReferredKind
  readonly name: string
}

/** One source of a volume. */
export interface VolumeSource extends Reference {
  readonly volume: string
  /** The keys that its `items` name; `undefined`: all. */
  readonly keys: readonly string[] | undefined
  /** Paths of the files that `items` make of the keys, in their order; a whole volume names its files as the keys. */
  readonly paths: readonly string[] | undefined
  readonly isOptional: boolean
}

interface EnvironmentSource extends Reference {
  /** The one key of a `valueFrom`; `undefined`: all, an `envFrom`. */
  readonly key: string | undefined
  readonly isOptional: boolean
}

interface VolumeMount {
  readonly volume: string
  /** `undefined`: the whole volume. */
  readonly subPath: string | undefined
}

export interface ContainerUse {
  readonly name: string
  readonly image: string | undefined
  readonly mounts: readonly VolumeMount[]
  /** Those of `env` before those of `envFrom`. */
  readonly environment: readonly EnvironmentSource[]
  /** Values of the variables that have one, by name; of two with one name the first. */
  readonly variables: ReadonlyMap<string, string>
}

export interface PodUse {
  /** In the order of the volumes, and of the sources in a projected one. */
  readonly volumes: readonly VolumeSource[]
  readonly containers: readonly ContainerUse[]
  readonly initContainers: readonly ContainerUse[]
}

/** How a pod's spec, or a template's, uses what it refers to. Ephemeral containers are not looked at: no template has them. */
export function podUse(spec: unknown): PodUse {
  const fields = isFields(spec) ? spec : {}
  return {
    volumes: listIn(fields, 'volumes').flatMap(volumeSources),
    containers: listIn(fields, 'containers').map(containerUse),
    initContainers: listIn(fields, 'initContainers').map(containerUse),
  }
}

/** Each object that is referred to, once, in the order of first use. */
export function referencesOf(use: PodUse): readonly Reference[] {
  const all: Reference[] = [...use.volumes]
  for (const container of [...use.containers, ...use.initContainers]) {
    all.push(...container.environment)
    if (container.image !== undefined) all.push({ kind: 'Image', name: container.image })
  }
  const unique = new Map(all.map(({ kind, name }) => [`${kind}/${name}`, { kind, name }]))
  return [...unique.values()]
}

function volumeSources(volume: Fields): readonly VolumeSource[] {
  const name = textIn(volume, 'name') ?? ''
  const secret = fieldsIn(volume, 'secret')
  const attributes = fieldsIn(fieldsIn(volume, 'csi'), 'volumeAttributes')
  const projected = listIn(fieldsIn(volume, 'projected'), 'sources').flatMap(source => [
    ...fileSource(name, 'ConfigMap', { source: fieldsIn(source, 'configMap'), nameField: 'name' }),
    ...fileSource(name, 'Secret', { source: fieldsIn(source, 'secret'), nameField: 'name' }),
  ])
  return [
    ...fileSource(name, 'ConfigMap', { source: fieldsIn(volume, 'configMap'), nameField: 'name' }),
    ...fileSource(name, 'Secret', { source: secret, nameField: 'secretName' }),
    ...projected,
    ...fileSource(name, 'SecretProviderClass', { source: attributes, nameField: 'secretProviderClass' }),
    ...fileSource(name, 'PersistentVolumeClaim', { source: fieldsIn(volume, 'persistentVolumeClaim'), nameField: 'claimName' }),
    ...fileSource(name, 'Image', { source: fieldsIn(volume, 'image'), nameField: 'reference' }),
  ]
}

function fileSource(
  volume: string,
  kind: ReferredKind,
  { source, nameField }: { readonly source: Fields; readonly nameField: string },
): readonly VolumeSource[] {
  const name = textIn(source, nameField)
  if (name === undefined || name === '') return []
  const items = Array.isArray(fieldOf(source, 'items')) ? listIn(source, 'items') : undefined
  const named = items === undefined || items.length === 0 ? undefined : items
  return [
    {
      kind,
      name,
      volume,
      keys: named?.map(item => textIn(item, 'key') ?? ''),
      paths: named?.map(item => textIn(item, 'path') ?? textIn(item, 'key') ?? ''),
      isOptional: fieldOf(source, 'optional') === true,
    },
  ]
}

function containerUse(container: Fields): ContainerUse {
  const env = listIn(container, 'env')
  return {
    name: textIn(container, 'name') ?? '',
    image: textIn(container, 'image'),
    mounts: listIn(container, 'volumeMounts').map(mount => ({
      volume: textIn(mount, 'name') ?? '',
      subPath: textIn(mount, 'subPath') || textIn(mount, 'subPathExpr') || undefined,
    })),
    environment: [
      ...env.flatMap(variable => keySources(fieldsIn(variable, 'valueFrom'))),
      ...listIn(container, 'envFrom').flatMap(wholeSources),
    ],
    variables: new Map(env.toReversed().map(variable => [textIn(variable, 'name') ?? '', textIn(variable, 'value') ?? ''])),
  }
}

function keySources(valueFrom: Fields): readonly EnvironmentSource[] {
  return [
    ...environmentSource('ConfigMap', fieldsIn(valueFrom, 'configMapKeyRef')),
    ...environmentSource('Secret', fieldsIn(valueFrom, 'secretKeyRef')),
  ]
}

function wholeSources(envFrom: Fields): readonly EnvironmentSource[] {
  return [
    ...environmentSource('ConfigMap', fieldsIn(envFrom, 'configMapRef')),
    ...environmentSource('Secret', fieldsIn(envFrom, 'secretRef')),
  ]
}

function environmentSource(kind: ReferredKind, source: Fields): readonly EnvironmentSource[] {
  const name = textIn(source, 'name')
  if (name === undefined || name === '') return []
  return [{ kind, name, key: textIn(source, 'key'), isOptional: fieldOf(source, 'optional') === true }]
}
