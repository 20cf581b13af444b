// What containerd has to find on a node so that it asks the mirror: offered by whoever knows the files, taken by whoever puts them there.
import { port } from '../capability.ts'

/** One file of a node, whole. */
export interface NodeFile {
  /** Absolute, below one of `NodeFiles.directories`. */
  readonly path: string
  /** Permission bits: `0o644`. */
  readonly mode: number
  readonly content: string
}

/** The files of one node, in the order in which they are written. */
export interface NodeFileSet {
  readonly files: readonly NodeFile[]
  /** `sha256:` and 64 hex digits over paths, modes and contents: sets of one digest are the same. */
  readonly digest: string
}

export interface NodeFiles {
  /** The directories on the node that files lie below; they are mounted for writing. */
  readonly directories: readonly string[]
  /** Pure. `ip` is the node's own address as it is written in a URL: IPv6 in brackets. */
  filesFor(node: { readonly name: string; readonly ip: string }): NodeFileSet
}

export const nodeFilesPort = port<NodeFiles>('node-files')
