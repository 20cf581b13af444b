// What our driver answers otherwise than upstream's, each with its reason: cases by their names, and which parts of the answers differ.

export type ComparedField = 'code' | 'response' | 'exports'

export interface Difference {
  readonly because: string
  readonly cases: RegExp
  readonly fields: readonly ComparedField[]
}

export const differences: readonly Difference[] = [
  {
    because: 'permissions of a class are those of the new folder: upstream sets them on the whole share too',
    cases: /^create: (8: mountPermissions|10\D.*mountPermissions|10: the class's|the directory is there with data)|rights$/i,
    fields: ['exports'],
  },
  {
    because: 'what a placeholder brings is looked at as well: by upstream it leads out of the share',
    cases: /^create: 13: /,
    fields: ['code', 'response', 'exports'],
  },
  {
    because:
      'what would end a field of an identifier, an option or a line is refused: upstream deletes another folder by such an identifier',
    cases: /"[^"]*[#,][^"]*"|newline|no server takes|by backslashes|a\\\\\.\.\\\\b|a\\nb|hard\\nsuid|candle keep|"-o"/,
    fields: ['code', 'response', 'exports'],
  },
  {
    because: 'placeholders of labels, annotations and classes are filled in, which needs the API server',
    cases: /^create: placeholders of labels/,
    fields: ['code', 'response', 'exports'],
  },
  {
    because: 'addresses of IPv6 with a zone, or of IPv4 in them, get their brackets too',
    cases: /%eth0|::ffff:|^node: 26: /,
    fields: ['code', 'response', 'exports'],
  },
  {
    because: 'options by which mount(8) asks no server are refused',
    cases: /^node: flags .*"(bind|remount)"/,
    fields: ['code', 'response'],
  },
  {
    because: 'a name that no server can make is the mistake of who asks',
    cases: /^(create: names that no server takes|snapshot: name "x+" of 256)/,
    fields: ['code'],
  },
  {
    because:
      'the machine that is played keeps nobody from writing to what is mounted read-only; the real one is held to it by test:real',
    cases: /mount flags \["ro"\]|\{"mountOptions":"ro"\}/,
    fields: ['code', 'response', 'exports'],
  },
  {
    because: 'what was deleted a moment ago and is there again is deleted again: upstream leaves the folder for a minute',
    cases: /^create: 22: |^delete: deleted again within a minute/,
    fields: ['exports'],
  },
  { because: 'a name with another size is another volume, as CSI has it', cases: /^create: 24: /, fields: ['code', 'response'] },
  {
    because: 'the code says what the server said: permissions and arguments have codes of their own',
    cases: /what a server may answer/,
    fields: ['code', 'response'],
  },
  {
    because: 'our own version; expansion is said; no capability that is none is said, which upstream’s conformance run fails for',
    cases: /^create: who it is/,
    fields: ['response'],
  },
  {
    because: 'a volume that is not there is not found, as CSI has it',
    cases: /^create: capabilities of a volume/,
    fields: ['code', 'response'],
  },
  {
    because: 'what is not there is deleted and archived already',
    cases: /nothing there|^delete: 20: archived, twice, the driver restarted/,
    fields: ['code', 'response'],
  },
  {
    because: 'an identifier that names the share itself never empties it',
    cases: /^delete: the export itself/,
    fields: ['exports'],
  },
  {
    because: 'a word for onDelete that nobody knows deletes nothing',
    cases: /^delete: onDelete "(invalid| retain|keep)" in the identifier/,
    fields: ['code', 'response', 'exports'],
  },
  {
    because: 'the one writer of a volume is at one place',
    cases: /^node: 40: /,
    fields: ['code', 'response'],
  },
  {
    because: 'figures are of a path: upstream answers with those of another path of the volume',
    cases: /^node: (33 and more: figures|figures of a file and a link)/,
    fields: ['code', 'response'],
  },
  {
    because: 'special bits, owners and pipes are restored',
    cases: /^snapshot: (34: |a pipe in the tree)/,
    fields: ['exports'],
  },
  {
    because: 'an archive has a checksum in it, so that one of nothing is longer',
    cases: /^snapshot: an empty volume/,
    fields: ['exports', 'response'],
  },
  {
    because: 'a source that is not there is not found; what fails leaves no folder behind',
    cases: /^snapshot: (the source is not there|content sources that are none|by a nested subDir without uuid|a broken archive)/,
    fields: ['code', 'exports'],
  },
  {
    because: 'a snapshot that is whole stays as it was taken: upstream packs the volume of today in its place',
    cases: /^snapshot: (the same again|38: )/,
    fields: ['exports', 'response'],
  },
  {
    because: 'a volume that was made once is not filled again: somebody may have written to it',
    cases: /^snapshot: (cloned|restored) twice/,
    fields: ['exports'],
  },
  {
    because: 'the share of a class of snapshots is looked at like that of a volume, as upstream does since 4.13.5',
    cases: /^snapshot: class with \{"share":"\.\.\/x"\}/,
    fields: ['code'],
  },
  {
    because: 'of eleven empty folders above the volume ten go, as the error says: by upstream eleven',
    cases: /^delete: (eleven|twelve) parents/,
    fields: ['exports'],
  },
]
