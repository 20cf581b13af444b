// The variables that a container would have: what triggers name with `<key>FromEnv`. Fields of a pod are not known before it runs.
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { TriggerProblem } from '../triggers/parameters.ts'
import type { ClusterData } from './cluster-data.ts'

interface Place {
  readonly data: Pick<ClusterData, 'data' | 'readsSecretsOf'>
  readonly namespace: string
  readonly signal: AbortSignal
}

/** `container` undefined or empty: the first. @throws TriggerProblem where it or what it needs is not there; StatusError */
export async function containerEnv(
  template: unknown,
  container: string | undefined,
  place: Place,
): Promise<Readonly<Record<string, string>>> {
  const containers = listAt(template, 'spec', 'containers')
  if (containers.length === 0) return {}
  const meant =
    container === undefined || container === '' ? containers[0] : containers.find(one => textAt(one, 'name') === container)
  if (meant === undefined) throw new TriggerProblem(`couldn't find container with name ${container} on Target object`)
  const env = new Map<string, string>()
  for (const source of listAt(meant, 'envFrom')) for (const [name, value] of await allOf(source, place)) env.set(name, value)
  for (const variable of listAt(meant, 'env')) {
    const name = textAt(variable, 'name') ?? ''
    const value = await oneOf(variable, name, env, place)
    if (value !== undefined) env.set(name, value)
  }
  return Object.fromEntries(env)
}

async function allOf(source: unknown, place: Place): Promise<readonly (readonly [string, string])[]> {
  const prefix = textAt(source, 'prefix') ?? ''
  const from = reference(source, 'configMapRef', 'secretRef')
  const data = from === undefined ? undefined : await dataOf(from, place)
  return Object.entries(data ?? {}).map(([key, value]) => [`${prefix}${key}`, value])
}

/** Undefined: it has no value that is known before the pod runs. */
async function oneOf(
  variable: unknown,
  name: string,
  env: ReadonlyMap<string, string>,
  place: Place,
): Promise<string | undefined> {
  const valueFrom = at(variable, 'valueFrom')
  if (valueFrom === undefined || valueFrom === null) return expanded(textAt(variable, 'value') ?? '', env)
  const from = reference(valueFrom, 'configMapKeyRef', 'secretKeyRef')
  if (from === undefined) return undefined
  const data = await dataOf(from, place)
  const key = textAt(from.given, 'key') ?? ''
  if (data === undefined) return undefined
  if (Object.hasOwn(data, key)) return data[key]
  if (from.isOptional) return undefined
  throw new TriggerProblem(`the variable ${name}: ${from.kind} ${place.namespace}/${from.name} has no key ${key}`)
}

interface Reference {
  readonly kind: 'ConfigMap' | 'Secret'
  readonly name: string
  readonly isOptional: boolean
  readonly given: unknown
}

function reference(source: unknown, configMap: string, secret: string): Reference | undefined {
  for (const [key, kind] of [[configMap, 'ConfigMap'] as const, [secret, 'Secret'] as const]) {
    const given = at(source, key)
    if (given !== undefined && given !== null)
      return { kind, name: textAt(given, 'name') ?? '', isOptional: at(given, 'optional') === true, given }
  }
  return undefined
}

/** Undefined: it need not be there, or Secrets of this namespace are not for us. */
async function dataOf(
  { kind, name, isOptional }: Reference,
  { data, namespace, signal }: Place,
): Promise<Readonly<Record<string, string>> | undefined> {
  if (kind === 'Secret' && !data.readsSecretsOf(namespace)) return undefined
  try {
    return await data.data(kind, namespace, name, signal)
  } catch (error) {
    if (!isNotFound(error)) throw error
    if (isOptional) return undefined
    throw new TriggerProblem(`${kind} ${namespace}/${name}, which a variable of the container needs, is not there`)
  }
}

/** `$(NAME)` is what came before, as far as there is one; `$$` is `$`. */
export function expanded(value: string, env: ReadonlyMap<string, string>): string {
  return value.replaceAll(/\$(\$|\(([^)]*)\))/g, (all: string, second: string, name: string | undefined) =>
    second === '$' ? '$' : (env.get(name ?? '') ?? all),
  )
}
