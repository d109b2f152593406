/** The sagas module's contract: the only thing that other modules may import from it. */
export {}
