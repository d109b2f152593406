/** A JSON value; what crosses a process and what is kept. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }
