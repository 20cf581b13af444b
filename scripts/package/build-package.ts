// What the npm package has besides its launcher: the bundled program with page, examples and licences. Nothing has to be installed with it but a Node.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { buildFacts } from '../image/build-facts.ts'
import { type Bundle, writeBundle } from '../image/bundle.ts'
import { licenceFiles } from '../image/licences.ts'
import { LockFile } from '../image/lock-file.ts'
import type { Commit } from '../image/revision.ts'

interface PackageParts {
  readonly root: string
  readonly commit: Commit
  readonly program: Bundle
}

/** Writes anew the folder in which `bin/packaged.js` looks. */
export function buildPackage({ root, commit, program: { files, packages } }: PackageParts): void {
  const folder = join(root, 'dist', 'program')
  rmSync(folder, { recursive: true, force: true })
  writeBundle(
    { files: new Map([...files, buildFacts('npm', commit), ...licenceFiles(root, packages, new LockFile(root))]) },
    folder,
  )
}
