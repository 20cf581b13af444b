// What npm calls before `npm pack` and `npm publish` (`prepack`): the bundled program is built into `dist/program`.
import { join } from 'node:path'
import { bundle } from '../image/bundle.ts'
import { commitOf } from '../image/revision.ts'
import { buildPackage } from './build-package.ts'

const root = join(import.meta.dirname, '..', '..')

buildPackage({ root, commit: commitOf(root, process.env['SOURCE_DATE_EPOCH']), program: await bundle(root) })
