// Changes of files that are collected, and carried out on their texts at the end: all of them, or none.
import type { FileChange, FileRemoval } from '#planning/manifest-patches/unified-diff.ts'
import { changedLines, hasLine, type ResourceLines } from './kustomization-lines.ts'
import { type DocumentChange, type Splice, YamlFile } from './yaml-file.ts'

interface Edited {
  readonly splices: Splice[]
  readonly changes: DocumentChange[]
}

export class FileEdits {
  readonly textOf: (file: string) => string | undefined
  readonly #files = new Map<string, YamlFile | undefined>()
  readonly #edited = new Map<string, Edited>()
  readonly #lines = new Map<string, ResourceLines>()
  readonly #added = new Map<string, string>()
  readonly #removed = new Set<string>()

  constructor(textOf: (file: string) => string | undefined) {
    this.textOf = textOf
  }

  /** `undefined` for a file that is no text. */
  open(path: string): YamlFile | undefined {
    if (!this.#files.has(path)) {
      const text = this.textOf(path)
      this.#files.set(path, text === undefined ? undefined : new YamlFile(path, text))
    }
    return this.#files.get(path)
  }

  splice(path: string, splice: Splice): void {
    this.#of(path).splices.push(splice)
  }

  change(path: string, change: DocumentChange): void {
    this.#of(path).changes.push(change)
  }

  add(path: string, text: string): void {
    this.#added.set(path, text)
  }

  /** Is what a document says replaced already? */
  isMoved(path: string, document: number): boolean {
    return this.#edited.get(path)?.changes.some(({ at, now }) => at === document && now !== undefined) === true
  }

  isAdded(path: string): boolean {
    return this.#added.has(path)
  }

  remove(path: string): void {
    this.#removed.add(path)
  }

  /** Has `entry` a line in that kustomization that can be changed alone? */
  hasLine(kustomization: string, entry: string): boolean {
    const file = this.open(kustomization)
    return file !== undefined && hasLine(file, entry)
  }

  /** A line in a kustomization for `name`, a new file of the same folder, before that of `entry`. */
  addLine(kustomization: string, entry: string, name: string): void {
    this.#linesOf(kustomization).added.set(entry, name)
  }

  removeLine(kustomization: string, entry: string): void {
    this.#linesOf(kustomization).removed.add(entry)
  }

  /** Every change, in the order of paths. @throws where a changed text does not say what was meant */
  changes(): readonly (FileChange | FileRemoval)[] {
    for (const [path, lines] of this.#lines) {
      const file = this.open(path)
      const found = file && changedLines(file, lines)
      for (const splice of found?.splices ?? []) this.splice(path, splice)
      for (const change of found?.changes ?? []) this.change(path, change)
    }
    this.#lines.clear()
    const edited = [...this.#edited].flatMap(([path, { splices, changes }]): FileChange[] => {
      const file = this.open(path)
      if (file === undefined || this.#removed.has(path)) return []
      return [{ path, before: file.text, after: file.changed(splices, changes) }]
    })
    const added = [...this.#added].map(([path, after]): FileChange => ({ path, before: undefined, after }))
    const removed = [...this.#removed].map(
      (path): FileRemoval => ({ path, before: this.open(path)?.text ?? '', after: undefined }),
    )
    return [...edited, ...added, ...removed].toSorted((a, b) => (a.path < b.path ? -1 : 1))
  }

  #linesOf(path: string): ResourceLines {
    const there = this.#lines.get(path) ?? { added: new Map<string, string>(), removed: new Set<string>() }
    this.#lines.set(path, there)
    return there
  }

  #of(path: string): Edited {
    const there = this.#edited.get(path) ?? { splices: [], changes: [] }
    this.#edited.set(path, there)
    return there
  }
}
