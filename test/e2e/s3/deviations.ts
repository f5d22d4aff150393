/** Deviations that come with S3 itself. */
export const S3_DEVIATIONS = {
  'a read that is under way ends whole when the blob is deleted':
    'S3 promises nothing about it, and MinIO ends such a read now and then',
}
