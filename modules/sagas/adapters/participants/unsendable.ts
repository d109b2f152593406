/** Why a request is not sent, now or later: it is not well-formed, or its address is forbidden. The text is for users. */
export class Unsendable extends Error {}
