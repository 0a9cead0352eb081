"""What every prebuilt report says of itself: attributes, metrics, dimensions, the rows that count."""
