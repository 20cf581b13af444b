// HelmRepositories that nobody needs once releases have moved: which of them go, and who keeps the others.
import type { Repository, RepositoryObject } from '#doctor/repository.ts'
import { textAt } from '#kube/objects/object-fields.ts'
import type { FileEdits } from './file-edits.ts'

export interface RepositoryRow {
  /** `namespace/name`, as far as the namespace is known. */
  readonly repository: string
  readonly file: string
  readonly outcome: 'removed' | 'kept'
  readonly because: string
}

interface Freed {
  /** Repositories of releases that were migrated. */
  readonly freed: ReadonlySet<RepositoryObject>
  /** Those that nobody used before go, too. */
  readonly unused: boolean
}

/** Decides for each freed (or unused) HelmRepository, and takes out of files what goes. */
export function prunedRepositories(repository: Repository, edits: FileEdits, { freed, unused }: Freed): readonly RepositoryRow[] {
  const freedNames = new Set([...freed].map(({ object }) => object.metadata.name))
  const all = repository.objects.filter(
    ({ object }) => object.kind === 'HelmRepository' && object.apiVersion.startsWith('source.toolkit.fluxcd.io/'),
  )
  return all.flatMap((one): readonly RepositoryRow[] => {
    const { object, file, namespaces } = one
    const { name } = object.metadata
    if (!unused && !freedNames.has(name)) return []
    const row = { repository: namespaces[0] === undefined ? name : `${namespaces[0]}/${name}`, file }
    const user = userOf(name, repository, edits)
    if (user !== undefined) return [{ ...row, outcome: 'kept', because: user }]
    const because = remove(one, repository, edits)
    return [
      because === undefined
        ? { ...row, outcome: 'removed', because: 'nothing names it any more' }
        : { ...row, outcome: 'kept', because },
    ]
  })
}

/** Who names a repository of this name, whichever namespace is meant: one too many is kept rather than one too few. */
function userOf(name: string, repository: Repository, edits: FileEdits): string | undefined {
  const moved = (one: RepositoryObject) => {
    const file = edits.open(one.file)
    return file !== undefined && edits.isMoved(one.file, file.documentAt(one.line))
  }
  const user = repository.objects.find(one => names(one.object, name) && !moved(one))
  if (user !== undefined) {
    const { object, namespaces } = user
    const shown = namespaces[0] === undefined ? object.metadata.name : `${namespaces[0]}/${object.metadata.name}`
    return `still used by ${object.kind === 'HelmRelease' ? '' : `${object.kind} `}${shown}`
  }
  const kustomization = repository.kustomizations.find(({ object }) => JSON.stringify(object).includes(`"${name}"`))
  if (kustomization !== undefined && /HelmRepository/.test(JSON.stringify(kustomization.object)))
    return `${kustomization.file} patches or replaces it`
  // What could not be read may name it; what was read was asked above.
  const unread = repository.findings.find(
    ({ file }) => file !== undefined && !repository.objects.some(one => one.file === file) && mentions(edits.textOf(file), name),
  )
  return unread === undefined ? undefined : `its name stands in ${unread.file ?? ''}, which is not looked into`
}

function mentions(text: string | undefined, name: string): boolean {
  return text?.includes(name) === true
}

/** Does anything in the object refer to it by kind and name? */
function names(value: unknown, name: string): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (textAt(value, 'kind') === 'HelmRepository' && textAt(value, 'name') === name) return true
  return Object.values(value).some(inner => names(inner, name))
}

/** Takes it out; a sentence where that cannot be written. */
function remove({ file: path, line }: RepositoryObject, { tree }: Repository, edits: FileEdits): string | undefined {
  const file = edits.open(path)
  if (file === undefined) return 'its file is no UTF-8 text'
  const document = file.documentAt(line)
  if (textAt(file.valueOf(document), 'kind') !== 'HelmRepository') return 'a ResourceSet makes it'
  const others = file.documents.filter(({ contents }, index) => index !== document && contents !== null)
  if (others.length > 0) {
    const { marker, end } = file.segmentOf(document)
    edits.splice(path, { start: marker, end, text: '' })
    edits.change(path, { at: document, now: undefined })
    return undefined
  }
  const takers = [...tree.kustomizations.values()].filter(({ takes }) => takes.includes(path))
  const stiff = takers.find(({ file: taker }) => !edits.hasLine(taker, path))
  if (stiff !== undefined) return `${stiff.file} takes it in by a line that cannot be taken out alone`
  for (const { file: taker } of takers) edits.removeLine(taker, path)
  edits.remove(path)
  return undefined
}
