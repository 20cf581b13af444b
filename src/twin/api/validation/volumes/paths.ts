// Paths that may not lead out of their folder.
import { type FieldError, invalid } from '#kube/objects/field-error.ts'

/** A path that leads out of its folder. */
export function backstepProblems(path: string, at: string): readonly FieldError[] {
  return path.split('/').includes('..') ? [invalid(at, path, "must not contain '..'")] : []
}

/** A path below another one. */
export function descendingProblems(path: string, at: string): readonly FieldError[] {
  return [...(path.startsWith('/') ? [invalid(at, path, 'must be a relative path')] : []), ...backstepProblems(path, at)]
}

/** A path below a volume's own folder, where names that begin with two dots are its own. */
export function ownPathProblems(path: string, at: string): readonly FieldError[] {
  const isOwn = path.startsWith('..') && !path.startsWith('../')
  return [...descendingProblems(path, at), ...(isOwn ? [invalid(at, path, "must not start with '..'")] : [])]
}
