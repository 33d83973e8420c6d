-- The visual elements of the datasets that images were made with, the most used first.
SELECT
  element,
  COUNT(*) AS usage_count
FROM generated_images
CROSS JOIN UNNEST(unique_visual_elements) AS t (element)
GROUP BY element
ORDER BY usage_count DESC, element
LIMIT 10
