// Which objects of a repository reach the same cluster: one repository may hold several, with objects of one name in each.

import { filesFrom, foldersMeant, foldersOf } from '#doctor/repository/applied.ts'
import { isFluxKustomization, type Repository, type RepositoryObject } from '#doctor/repository.ts'
import { textAt } from '#kube/objects/object-fields.ts'

export class Clusters {
  readonly #repository: Repository
  #reaches: readonly ReadonlySet<string>[] | undefined

  constructor(repository: Repository) {
    this.#repository = repository
  }

  /** Those of `objects` that some Kustomization of Flux brings together with `one`; all, where none says so, and where there is no choice. */
  beside(one: RepositoryObject, objects: readonly RepositoryObject[]): readonly RepositoryObject[] {
    if (objects.length < 2) return objects
    const own = this.#all().filter(files => files.has(one.file))
    const together = objects.filter(({ file }) => own.some(files => files.has(file)))
    return together.length === 0 ? objects : together
  }

  #all(): readonly ReadonlySet<string>[] {
    const { objects, tree } = this.#repository
    const folders = foldersOf(tree.files)
    this.#reaches ??= objects
      .filter(({ object }) => isFluxKustomization(object) && textAt(object, 'spec', 'sourceRef', 'kind') === 'GitRepository')
      .map(({ object }) => filesFrom(tree, foldersMeant(textAt(object, 'spec', 'path') ?? '.', folders), true))
    return this.#reaches
  }
}
