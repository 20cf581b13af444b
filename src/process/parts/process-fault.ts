// The end of a process that must not go on. Apart from what throws it, so that whoever only recognizes it carries nothing else.

/** Something is wrong beyond any one part: what is left of this process must not go on. */
export class ProcessFault extends Error {
  override readonly name = 'ProcessFault'
}
