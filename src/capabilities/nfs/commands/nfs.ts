// `ballast nfs`: what a person does about shares that no object of the cluster asks for.

import type { DefineCommand } from '#cli/command-line.ts'
import { addSweep } from './sweep.ts'
import { addVerify } from './verify.ts'

export const defineNfs: DefineCommand = (program, surroundings, about) => {
  const nfs = program.command('nfs').description(about).addHelpText('after', '\nExample: ballast nfs sweep')
  addSweep(nfs, surroundings)
  addVerify(nfs, surroundings)
}
