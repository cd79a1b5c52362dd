/** How a mount may talk to the kernel. */
export const TRANSPORTS = ['auto', 'kernel', 'libfuse'] as const;
