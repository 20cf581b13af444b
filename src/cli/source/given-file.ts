// A file that was named on the command line, as text.

import { readFileSync } from 'node:fs'
import { messageOf } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'

/** @throws InputError where it cannot be read: bad input, not a failure of the command */
export function givenText(file: string, option: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new InputError([
      { code: 'file-unreadable', where: `${option} ${file}`, found: messageOf(error), expected: 'a file that can be read' },
    ])
  }
}
