// The variables that expressions of admission policies are typed over. Facts of apiserver's admission/plugin/cel.
import {
  boolType,
  type CelType,
  dynType,
  intType,
  listType,
  mapType,
  stringType,
  structType,
  timestampType,
} from '#kube/cel/cel-types.ts'

const texts = listType(stringType)
const textMap = mapType(stringType, stringType)

const struct = (name: string, fields: Readonly<Record<string, CelType>>) =>
  structType(`kubernetes.${name}`, new Map(Object.entries(fields)))

const kindType = struct('GroupVersionKind', { group: stringType, version: stringType, kind: stringType })
const resourceType = struct('GroupVersionResource', { group: stringType, version: stringType, resource: stringType })

const requestType = struct('AdmissionRequest', {
  ...{ kind: kindType, resource: resourceType, subResource: stringType },
  ...{ requestKind: kindType, requestResource: resourceType, requestSubResource: stringType },
  ...{ name: stringType, namespace: stringType, operation: stringType, dryRun: boolType, options: dynType },
  userInfo: struct('UserInfo', { username: stringType, uid: stringType, groups: texts, extra: mapType(stringType, texts) }),
})

const conditionType = struct('NamespaceCondition', {
  ...{ status: stringType, type: stringType, lastTransitionTime: timestampType, message: stringType, reason: stringType },
})

const namespaceType = struct('Namespace', {
  metadata: struct('NamespaceMetadata', {
    ...{ name: stringType, generateName: stringType, namespace: stringType, labels: textMap, annotations: textMap },
    ...{ UID: stringType, creationTimestamp: timestampType, deletionTimestamp: timestampType },
    ...{ deletionGracePeriodSeconds: intType, generation: intType, resourceVersion: stringType, finalizers: texts },
  }),
  spec: struct('NamespaceSpec', { finalizers: texts }),
  status: struct('NamespaceStatus', { conditions: listType(conditionType), phase: stringType }),
})

/** What is known of the objects of a policy; undefined: nothing, so that any use of them is right. */
interface PolicyObjects {
  readonly object: CelType | undefined
  /** Absent where the policy has no parameters. */
  readonly params?: { readonly type: CelType | undefined }
  /** The policy's own variables that come before, by their names. */
  readonly variables: ReadonlyMap<string, CelType>
}

export function policyEnvironment({ object = dynType, params, variables }: PolicyObjects): ReadonlyMap<string, CelType> {
  return new Map([
    ['namespaceObject', namespaceType],
    ['request', requestType],
    ['object', object],
    ['oldObject', object],
    ...(params === undefined ? [] : [['params', params.type ?? dynType] as const]),
    ['authorizer', structType('kubernetes.authorization.Authorizer')],
    ['variables', structType('kubernetes.variables', variables)],
  ])
}

const kept: ReadonlySet<CelType['kind']> = new Set([
  ...(['bool', 'bytes', 'double', 'duration', 'int', 'null', 'string', 'timestamp', 'uint'] as const),
])

/** The type of a policy's variable by what its expression gives: of structs nothing is kept. */
export function variableType(type: CelType): CelType {
  if (kept.has(type.kind)) return type
  const [first = dynType, second = dynType] = type.params
  if (type.kind === 'list') return listType(variableType(first))
  return type.kind === 'map' ? mapType(variableType(first), variableType(second)) : dynType
}
