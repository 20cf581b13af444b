// An export of kube-scheduler-simulator: one object with a list for each kind, and the configuration of its scheduler. The items do not say
// what they are; classes and namespaces of the system are never among them.
import type { Problem } from '#kube/problem.ts'

/** What the items of each list are. */
const kindsOfLists: ReadonlyMap<string, { readonly apiVersion: string; readonly kind: string }> = new Map([
  ['namespaces', { apiVersion: 'v1', kind: 'Namespace' }],
  ['priorityClasses', { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass' }],
  ['storageClasses', { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass' }],
  ['pvcs', { apiVersion: 'v1', kind: 'PersistentVolumeClaim' }],
  ['pvs', { apiVersion: 'v1', kind: 'PersistentVolume' }],
  ['nodes', { apiVersion: 'v1', kind: 'Node' }],
  ['pods', { apiVersion: 'v1', kind: 'Pod' }],
])
const configurationField = 'schedulerConfig'

/** How a cluster's scheduler is set up, as it was written. */
export interface SchedulerConfiguration {
  readonly document: unknown
  /** `export.yml: document 1: schedulerConfig`. */
  readonly where: string
}

interface SimulatorExport {
  /** Each with its kind. */
  readonly items: readonly { readonly value: object; readonly where: string }[]
  readonly configuration?: SchedulerConfiguration
  /** What is set aside. */
  readonly problems: readonly Problem[]
}

/** What an export holds; `undefined` for what is none: it has no kind, and the fields `pods` and `nodes`. `where` is the place of `value`. */
export function simulatorExport(value: object, where: string): SimulatorExport | undefined {
  if ('kind' in value || 'apiVersion' in value || !('pods' in value) || !('nodes' in value)) return undefined
  const problems: Problem[] = []
  const items: SimulatorExport['items'][number][] = []
  for (const [field, type] of kindsOfLists) {
    const list: unknown = Object.hasOwn(value, field) ? Reflect.get(value, field) : undefined
    // Go writes an empty list that nobody made as null.
    if (list === undefined || list === null) continue
    if (!Array.isArray(list)) {
      problems.push({
        code: 'simulator-export',
        where: `${where}: ${field}`,
        found: shown(list),
        expected: `a list of objects of kind ${type.kind}`,
      })
      continue
    }
    for (const [index, item] of list.entries()) {
      const read = itemOf(item, type, `${where}: ${field}[${index}]`)
      if ('problem' in read) problems.push(read.problem)
      else items.push(read)
    }
  }
  for (const field of Object.keys(value)) {
    if (kindsOfLists.has(field) || field === configurationField) continue
    const expected = `one of ${[...kindsOfLists.keys(), configurationField].sort().join(', ')}`
    problems.push({ code: 'simulator-export', where: `${where}: ${field}`, found: field, expected })
  }
  const configuration = configurationIn(value, where)
  return { items, problems, ...(configuration === undefined ? {} : { configuration }) }
}

function itemOf(
  item: unknown,
  type: { readonly apiVersion: string; readonly kind: string },
  where: string,
): SimulatorExport['items'][number] | { readonly problem: Problem } {
  if (typeof item !== 'object' || item === null || Array.isArray(item))
    return { problem: { code: 'simulator-export', where, found: shown(item), expected: `an object of kind ${type.kind}` } }
  if ('kind' in item && item.kind !== type.kind && item.kind !== null)
    return { problem: { code: 'simulator-export', where: `${where}: kind`, found: shown(item.kind), expected: type.kind } }
  return { value: { ...item, ...type }, where }
}

/** The simulator writes `kind` since it knows version v1 of the configuration; before, it left it out. */
function configurationIn(value: object, where: string): SchedulerConfiguration | undefined {
  const given: unknown = Object.hasOwn(value, configurationField) ? Reflect.get(value, configurationField) : undefined
  if (given === undefined || given === null) return undefined
  const place = `${where}: ${configurationField}`
  if (typeof given !== 'object' || Array.isArray(given) || 'kind' in given) return { document: given, where: place }
  return { document: { kind: 'KubeSchedulerConfiguration', ...given }, where: place }
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
