// The kinds of work on files of a share, what each is asked and what it answers, and what worker and driver say to each other. All of it survives JSON.

/** A directory that is the mount of a share or of a volume, and a path below it (`/` and `\` divide it). */
export interface Below {
  /** An absolute path of ours. */
  readonly root: string
  /** Names with `/` between them; where a work says so, empty for the root itself. */
  readonly path: string
}

export type Compression = 'gzip' | 'zstd' | 'none'

/** A directory entry's kind. */
export type EntryType = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'device'

/** Bounds of what an archive may unpack to. */
export interface UnpackLimits {
  /** Bytes of all files together. */
  readonly bytes: number
  /** Files, directories and links together. */
  readonly entries: number
}

/** What an archive holds, and whether it is whole. */
export interface ArchiveContent {
  /** Bytes of all files. */
  readonly contentBytes: number
  readonly entries: number
  /** SHA-256 over the archive before compression, as hex digits; the last entry, which holds the checksum itself, left out. */
  readonly sha256: string
  /** Whether the archive holds that checksum, and it is right. Archives of upstream's driver have none. */
  readonly seal: 'right' | 'wrong' | 'none'
}

interface Works {
  /** `mkdir -p` with 0777 minus the umask. Not for the root itself. */
  readonly makeDirectory: {
    /** `mode`: all twelve bits, for the last directory alone, where it has others. */
    readonly work: Below & { readonly mode?: number }
    /** `made`: the last directory was not there. `warning`: why the mode could not be set. */
    readonly result: { readonly made: boolean; readonly warning?: string }
  }
  /** Removes a tree, and directories above it that are empty then, without the root. What is not there is removed already. */
  readonly removeTree: {
    readonly work: Below
    /** `parents`: how many empty directories above it went too. */
    readonly result: { readonly entries: number; readonly parents: number }
  }
  /** Renames `a/b` to `archived-a/b`. What is not there is archived already. */
  readonly archiveTree: {
    /** `replaces`: what becomes of an archive of that name: the work fails with EEXIST, it is removed, or the new one gets a number (`archived-a/b-2`). */
    readonly work: Below & { readonly replaces: 'refuse' | 'remove' | 'number' }
    /** `archive`: below the root; undefined where there is neither a source nor an archive. */
    readonly result: { readonly moved: boolean; readonly archive: string | undefined }
  }
  /** Makes a tar archive of a directory; `path` may be empty. It is seen under its name when it is whole. */
  readonly pack: {
    readonly work: Below & {
      /** `name`: without an ending: `pvc-1` becomes `pvc-1.tar.gz`, `pvc-1.tar.zst` or `pvc-1.tar`. `directory` is made where it is not there. */
      readonly into: { readonly root: string; readonly directory: string; readonly name: string }
      readonly compression: Compression
      /** The program `tar` reads the tree, instead of our own code. */
      readonly useTarProgram?: boolean
    }
    readonly result: PackResult
  }
  /** Restores an archive (gzip, zstd or plain, as its bytes say) into a directory that is there; `path` may be empty. It can be done again. */
  readonly unpack: {
    readonly work: Below & {
      readonly archive: Below
      readonly limits: UnpackLimits
      /** What becomes of device files: they are refused unless they are to be left out and counted. */
      readonly devices?: 'refuse' | 'skip'
    }
    readonly result: UnpackResult
  }
  /** Reads an archive from its beginning to its end. */
  readonly verify: {
    readonly work: { readonly archive: Below }
    /** `problems`: why it would not unpack; the first of them. An archive that is damaged fails the work with BROKEN_ARCHIVE. */
    readonly result: ArchiveContent & {
      readonly bytes: number
      readonly compression: Compression
      readonly problems: readonly string[]
    }
  }
  /** `cp -a source/. target`: both are there; either path may be empty. It can be done again. */
  readonly copyTree: {
    readonly work: Below & { readonly from: Below }
    readonly result: { readonly copied: true }
  }
  /** Names in a directory, sorted; `path` may be empty. */
  readonly list: {
    readonly work: Below & { readonly limit: number }
    /** `isWhole`: false where there are more than `limit`. */
    readonly result: { readonly entries: readonly ListedEntry[]; readonly isWhole: boolean }
  }
  /** Directories right below the root in the order of their names' bytes: which of them are archives of ours, and which may be volumes. */
  readonly survey: {
    /** `after`: the `key` of the last name that was looked at. `limit`: names that are looked at. */
    readonly work: { readonly root: string; readonly after?: string; readonly limit: number }
    /** `next`: where to go on; undefined where nothing follows. `unnamed`: directories whose names no identifier can have. */
    readonly result: { readonly entries: readonly SurveyEntry[]; readonly next: string | undefined; readonly unnamed: number }
  }
  /** Removes an archived folder right below the root in which nothing was changed since `beforeMs` (since 1970). `name`: `archived-…`, or that of a removal that was begun. */
  readonly expireTree: {
    readonly work: { readonly root: string; readonly name: string; readonly beforeMs: number }
    readonly result:
      | { readonly kind: 'removed'; readonly entries: number }
      | { readonly kind: 'kept'; readonly changedMs: number }
      /** A removal that had not been decided when it ended. */
      | { readonly kind: 'restored'; readonly name: string }
      | { readonly kind: 'missing' }
  }
  /** What a tree takes up; `path` may be empty. */
  readonly usage: {
    /** `entriesPerSecond`: the pace, so that others have the server too. */
    readonly work: Below & { readonly limits: { readonly entries: number; readonly entriesPerSecond: number } }
    readonly result: UsageResult
  }
  /** What a tree is now, by what the server says of each name in it: two looks that say the same had nothing written between them. */
  readonly fingerprint: {
    readonly work: Below
    readonly result: FingerprintResult
  }
  /** A small file of ours; undefined where there is none. */
  readonly readRecord: {
    readonly work: Below
    readonly result: { readonly text: string | undefined }
  }
  /** Writes such a file, whole or not at all. Directories above it are made. */
  readonly writeRecord: {
    readonly work: Below & { readonly text: string }
    readonly result: { readonly written: true }
  }
  /** Gives a file or a directory another name below the root. What has it already is renamed. */
  readonly rename: {
    readonly work: { readonly root: string; readonly from: string; readonly to: string }
    /** `moved`: false where it was so already. */
    readonly result: { readonly moved: boolean }
  }
  /** An absolute path, without following a link. */
  readonly stat: {
    readonly work: { readonly path: string }
    readonly result: {
      readonly type: EntryType
      readonly mode: number
      readonly uid: number
      readonly gid: number
      readonly size: string
      readonly mtimeMs: number
    }
  }
  /** The file system at an absolute path. Counts are decimal numbers as text, since they may be beyond 2^53. */
  readonly statfs: {
    readonly work: { readonly path: string }
    readonly result: StatfsResult
  }
  /** Removes archives that were never completed, in directories right below the root that hold nothing but archives. */
  readonly sweep: {
    readonly work: { readonly root: string; readonly olderThanMs: number }
    /** `isWhole`: false where the root holds more directories than are looked into. */
    readonly result: { readonly removed: readonly string[]; readonly isWhole: boolean }
  }
}

type PackResult =
  /** It was there and whole. `made` by upstream's driver it has no checksum of its own: `verify` reads one. */
  | { readonly kind: 'existing'; readonly name: string; readonly bytes: number; readonly mtimeMs: number }
  | {
      readonly kind: 'made'
      readonly name: string
      /** Bytes of the archive's file. */
      readonly bytes: number
      readonly mtimeMs: number
      /** Files, directories, links and the rest; the root too. */
      readonly entries: number
      /** See ArchiveContent. */
      readonly sha256: string
      /** Sockets, which no archive holds. */
      readonly skipped: number
      /** Files that changed or went while they were read. */
      readonly changed: number
    }

interface UnpackResult extends ArchiveContent {
  /** Device files that were left out. */
  readonly skipped: number
  /** Entries whose owner could not be set: the server maps root to somebody else, or we are not root. They have no set-user-id bits. */
  readonly ownersNotSet: number
  /** Entries with extended attributes, which are not restored. */
  readonly withAttributes: number
}

export interface ListedEntry {
  /** Bytes that are no UTF-8 are shown as U+FFFD. */
  readonly name: string
  readonly type: EntryType
  readonly size: number
  readonly mtimeMs: number
}

export interface SurveyEntry {
  readonly name: string
  /** Its place in the order: the bytes of the name as base64. */
  readonly key: string
  readonly kind: /** Whatever is in it; a volume may be. */
    | 'folder'
    /** Nothing but one archive, and what is left of others: `archive` says which. */
    | 'snapshot'
    /** What is left of a deleted volume, by its name. */
    | 'archived'
    /** An archived folder whose removal was begun: `expireTree` ends it, or takes it back. */
    | 'removed'
  /** The later of the times at which its names and its inode were changed, in milliseconds since 1970. */
  readonly changedMs: number
  readonly archive?: {
    readonly name: string
    /** The name without its ending: what was packed. */
    readonly source: string
    readonly bytes: number
    readonly mtimeMs: number
  }
}

interface UsageResult {
  /** As text, since they may be beyond 2^53: lengths of files, and blocks that they take. */
  readonly apparentBytes: string
  readonly allocatedBytes: string
  /** Files with several names count once. */
  readonly entries: number
  /** False where the bound on entries was reached, or a directory went away or could not be read meanwhile. */
  readonly isWhole: boolean
  /** Directories that could not be read. */
  readonly unreadable: number
}

export interface FingerprintResult {
  /** SHA-256 as hex digits over path, kind, bits, owner, inode, size and times of each entry. */
  readonly digest: string
  /** When something in it was changed last, and what time it was when the look began: both by the server's clock, in milliseconds since 1970. */
  readonly changedMs: number
  readonly serverMs: number
}

interface StatfsResult {
  readonly blockSize: string
  readonly blocks: string
  readonly freeBlocks: string
  /** For who is not root. */
  readonly availableBlocks: string
  readonly inodes: string
  readonly freeInodes: string
}

export type FileWorkKind = keyof Works
export type FileWorkOf<Kind extends FileWorkKind> = { readonly kind: Kind } & Works[Kind]['work']
export type FileWorkResult<Kind extends FileWorkKind> = Works[Kind]['result']
export type AnyFileWork = { readonly [Kind in FileWorkKind]: FileWorkOf<Kind> }[FileWorkKind]

/** How far a work has come; both only rise. Bytes are those read or written, 0 where none are. */
export interface FileWorkProgress {
  readonly entries: number
  readonly bytes: number
}

/** What a worker says. Each work ends with one `result` or `failure`. */
export type FromWorker =
  | { readonly kind: 'progress'; readonly progress: FileWorkProgress }
  | { readonly kind: 'result'; readonly result: FileWorkResult<FileWorkKind> }
  | { readonly kind: 'failure'; readonly code: string; readonly message: string; readonly path?: string | undefined }
