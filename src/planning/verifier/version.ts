/** Which verifier spoke: its rules change with the program. */
export const verifierVersion = '0.1.0'
