"""Questions and answers in Chinese and English, and announcements."""
